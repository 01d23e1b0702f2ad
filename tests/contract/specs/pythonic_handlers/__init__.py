"""The handlers of `pythonic.yaml`, a module for each tag."""
