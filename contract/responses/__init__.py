"""Validates and encodes responses: handler results, headers, bodies."""
