"""The handlers of `nasty.yaml`, a module for each tag."""
