"""The handlers: one plain function per operationId, in the module that its tag names."""
