"""The types of problems (RFC 9457 §3.1.1): URLs of pages that explain them, in place of `about:blank`.

A type is added when a response is sent, because it begins with the prefix of the client's URL: a response that is
stored, or that a capability makes, gets the type of the request that it is sent to.
"""

from collections.abc import Mapping

import orjson

from contract.problems import ABOUT_BLANK
from contract.responses.response import Response

_BLANK = b'{"type":"%b"' % ABOUT_BLANK.encode()
"""How the body of every problem begins that has no type of its own."""


class ProblemTypes:
    """The type of each status: the path of a page of this service. A status without one keeps `about:blank`."""

    def __init__(self, paths: Mapping[int, str]) -> None:
        self._paths = paths

    def add(self, response: Response, root_path: str) -> None:
        """Give a problem its type, below `root_path`. A problem with a type of its own, and any other body, stays."""
        path = self._paths.get(response.status)
        body = response.body
        if path is not None and isinstance(body, bytes) and body.startswith(_BLANK):
            response.body = b'{"type":' + orjson.dumps(root_path + path) + body[len(_BLANK) :]
