"""The same small service, once for each framework, as that framework's documentation has it."""
