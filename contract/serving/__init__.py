"""Serves a contract: routing, operations, exceptions, and the middleware that every request passes first."""
