"""The handlers of `pets.yaml`, a module for each tag."""
