"""Operations with the tag `faults`: the ways in which a handler can break its contract."""

from typing import Any

import flask

from contract.problems import Problem

JSON = "application/json"
_PROBLEMS = {"problem": 503, "problem-media-type": 418}


def _faults() -> dict[str, Any]:
    must = {"X-Must": "1"}
    return {
        "status": ({"id": 1}, 299, must),
        "empty-status": (None, 299, must),
        "media-type": (flask.Response("x", 200, must, mimetype="text/csv")),
        "named-media-type": ({"id": 1}, 200, must | {"Content-Type": "application/xml"}),
        "body": (
            {"id": "1", "secret": "s", "more": 1, "nodes": [{"value": 1, "children": [{"value": None}]}]},
            200,
            must,
        ),
        "no-body": (None, 200, must),
        "not-json": (object(), 200, must),
        "bad-json": (flask.Response("{", 200, must, mimetype=JSON)),
        "missing-header": {"id": 1},
        "wrong-header": ({"id": 1}, 200, {"X-Must": "10"}),
        "text-header": ({"id": 1}, 200, {"X-Must": "one"}),
        "other-header": ({"id": 1}, 200, must | {"X-May": "A"}),
        "body-where-none-is": ({"id": 1}, 204),
        "class": ({"what": 1}, 418),
        "pieces": (flask.Response((b"x" for _ in range(100)), 299, must, mimetype="text/plain")),
    }


def get_fault(kind: str) -> Any:
    """A broken one."""
    if kind in _PROBLEMS:
        raise Problem(_PROBLEMS[kind], "Not in the contract.")
    return _faults()[kind]
