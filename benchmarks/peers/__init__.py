"""The same small service in each framework, as in that framework's documentation."""
