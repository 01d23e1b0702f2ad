"""Decodes and validates requests: headers, media types, parameters, bodies."""
