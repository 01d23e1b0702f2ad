"""Reads a contract when the service starts: documents, operations, schemas, handlers."""
