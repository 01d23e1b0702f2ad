"""Below a path: the prefix that a proxy in front has cut off, and announces in `X-Forwarded-Prefix`."""

import re

from starlette.types import Scope

from contract.serving.routing import request_path

HEADER = "X-Forwarded-Prefix"
MAX_LENGTH = 128  # `Location` has up to 200 characters
_NAME = HEADER.lower().encode()
_PREFIX = re.compile(rb"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~-]+)+")


def restore(scope: Scope) -> None:
    """Put the prefix back in front of the path, as ASGI has it, where `root_path` says how much of the path it is.

    Only for requests of a proxy that is believed. What is no prefix, or is there twice, is passed over.
    """
    announced = None
    for name, value in scope["headers"]:
        if name == _NAME:
            announced = value if announced is None else b""
    if announced and len(announced) <= MAX_LENGTH and _PREFIX.fullmatch(announced):
        path = request_path(scope)
        scope["root_path"] = announced.decode() + scope.get("root_path", "")
        scope["path"] = scope["root_path"] + path
        scope["raw_path"] = scope["root_path"].encode() + scope["raw_path"]
