"""Operations with the tag `responses`: the ways in which a handler can response."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import UUID

import connexion
import flask
from connexion import NoContent
from connexion.exceptions import BadRequestProblem
from connexion.lifecycle import ConnexionResponse
from werkzeug.datastructures import Headers

from contract.problems import Problem

K: dict[str, Any] = {"kind": "k"}
JSON = "application/json"
CLOSED: list[str] = []
GATE = threading.Event()


def get_forwarded(name: str) -> Any:
    """Plain Connexion serves it: there is a Flask request."""
    return {"name": name, "path": flask.request.path}, 200, {"Content-Type": JSON}


def _raise(error: Exception) -> Any:
    raise error


def _two_cookies() -> Any:
    response = flask.jsonify(K)
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def _closing() -> Any:
    response = flask.Response(iter(['{"kind"', ': "k"}']), mimetype=JSON)
    response.call_on_close(lambda: CLOSED.append("closed"))
    return response


RESULTS: dict[str, Callable[[], Any]] = {
    "data": lambda: K,
    "one": lambda: (K,),
    "wrong": lambda: {"kind": 1},
    "status": lambda: (K, 201),
    "http-status": lambda: (K, HTTPStatus.CREATED),
    "headers": lambda: (K, {"X-Count": "3"}),
    "all": lambda: (K, 200, {"X-Count": "3", "X-Ratio": "0.5", "X-Done": "true", "X-Names": "a,b"}),
    "no-status": lambda: (K, None, {"X-Count": "3"}),
    "number-header": lambda: (K, 200, {"X-Count": 3}),
    "small-header": lambda: (K, 200, {"x-count": "3"}),
    "other-header": lambda: (K, 200, {"X-Other": "é"}),
    "werkzeug-headers": lambda: (K, 200, Headers([("X-Count", "3")])),
    "none": lambda: None,
    "none-204": lambda: (None, 204),
    "no-content": lambda: NoContent,
    "no-content-204": lambda: (NoContent, 204),
    "flask": lambda: flask.Response('{"kind":"k"}', 200, {"X-Count": "3"}, mimetype=JSON),
    "jsonify": lambda: flask.jsonify(K),
    "make-response": lambda: flask.make_response({"kind": "k"}, 201),
    "flask-in-tuple": lambda: (flask.Response('{"kind":"k"}', mimetype=JSON), 201),
    "two-cookies": _two_cookies,
    "closing": _closing,
    "redirect": lambda: flask.redirect("/elsewhere", 500),
    "connexion": lambda: ConnexionResponse(201, content_type=JSON, body='{"kind":"k"}', headers={"X-Count": "3"}),
    "connexion-problem": lambda: connexion.problem(418, "I'm a Teapot", "Short."),
    "problem": lambda: _raise(Problem(418, "Stout.")),
    "connexion-error": lambda: _raise(BadRequestProblem("No.")),
    "abort": lambda: flask.abort(404, "Nowhere."),
    "flask-request": lambda: {"kind": flask.request.path},
    "flask-session": lambda: {"kind": flask.session.get("kind", "none")},
    "error": lambda: _raise(RuntimeError("secret")),
    "stop": lambda: _raise(StopIteration("secret")),
    "default": lambda: (K, 503),
    "crlf": lambda: (K, 200, {"X-Other": "a\r\nX-Evil: 1"}),
}


def get_result(kind: str) -> Any:
    """In one form."""
    return RESULTS[kind]()


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


MOMENT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "datetime": {"moment": MOMENT},
    "date": {"day": MOMENT.date()},
    "decimal": {"number": Decimal("1.5")},
    "uuid": {"value": UUID(int=7)},
    "tuple": {"value": (1, 2)},
    "named-tuple": {"value": Point(1, 2)},
    "nan": {"number": float("nan")},
    "any-nan": {"value": float("nan")},
    "big": {"value": 2**63 - 1},
    "huge": {"value": [10**30, {"a": -(10**307)}]},
    "too-huge": {"value": 10**309},
    "unicode": {"value": "é😀\u2028</script>"},
    "keys": {"value": {1: 2}},
    "set": {"value": {1}},
    "not-a-date": {"day": "2026-02-30"},
    "list": {"value": [date(2026, 2, 3)]},
}


def get_value(kind: str) -> Any:
    """In one of Python's types."""
    return VALUES[kind]


def get_text(kind: str) -> Any:
    """A text."""
    return {
        "str": "café",
        "bytes": b"caf\xc3\xa9",
        "named": ("x", 200, {"Content-Type": "text/plain"}),
        "charset": ("x", 200, {"Content-Type": "text/plain; charset=utf-8"}),
        "flask": flask.Response("x", mimetype="text/plain"),
        "generator": (piece for piece in ("a", "é")),
        "empty": "",
        "long": "é" * 101,
        "long-bytes": b"x" * 101,
        "long-flask": flask.Response("é" * 101, mimetype="text/plain"),
        "long-enough": b"\xc3\xa9" * 100,
    }[kind]


def get_xml() -> Any:
    """A text, too."""
    return "<x/>"


def get_bytes(kind: str) -> Any:
    """Bytes."""
    return {
        "bytes": b"\x00\xff",
        "generator": (piece for piece in (b"\x00", b"\xff")),
        "iterator": iter([b"\x00", b"\xff"]),
        "list": [b"\x00", b"\xff"],
        "flask": flask.Response(b"\x00\xff", mimetype="application/octet-stream"),
    }[kind]


def get_image() -> Any:
    """Of a kind that a range of media types admits."""
    return flask.Response(b"GIF", mimetype="image/gif")


def get_several(kind: str) -> Any:
    """In one of several media types."""
    return {
        "json": ({"a": 1}, 200, {"Content-Type": JSON}),
        "vnd": ({"v": 1}, 200, {"Content-Type": "application/vnd.nasty+json"}),
        "vnd-wrong": ({"a": 1}, 200, {"Content-Type": "application/vnd.nasty+json"}),
        "text": "plain",
        "bytes": b"\x00",
        "dict": {"a": 1},
    }[kind]


async def get_async(kind: str) -> Any:
    """On the event loop."""
    await asyncio.sleep(0)
    if kind == "problem":
        raise Problem(418, "Stout.")
    return {"application": flask.current_app.name.rpartition(".")[2], "kind": kind}


async def get_pieces() -> AsyncIterator[str]:
    """Pieces of an asynchronous response."""
    for piece in ("a", "b"):
        await asyncio.sleep(0)
        yield piece


def get_stream() -> Iterator[str]:
    """The second piece comes when the test opens the gate."""
    yield "first "
    if not GATE.wait(10):
        raise TimeoutError
    yield "last"


def get_where() -> Any:
    """The thread that it runs on, held for a moment."""
    time.sleep(0.02)
    return {"thread": threading.current_thread().name}
