"""Where the two pipelines answer differently, and why; `test_nasty.py` holds both against this table."""

from dataclasses import dataclass

from tests.contract.specs.application import Reply, Request, broken

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Difference:
    """A request of the nasty spec to which stock Connexion answers `stock`, and the compiled pipeline `compiled`."""

    name: str
    request: Request
    stock: Reply
    compiled: Reply
    reason: str

    def __str__(self) -> str:
        return self.name


def _answer(kind: str) -> Request:
    return Request("GET", f"/forms-of-answer/{kind}")


def _fault(kind: str) -> Request:
    return Request("GET", f"/faults/{kind}")


_JSON = {"Content-Type": "application/json"}
_NO_BODY = "stock gives the media type of the operation's other answers to an answer without a body"
_NO_REQUEST = "the compiled pipeline makes no WSGI request for Flask; connexion.request is there in both"

KNOWN_DIFFERENCES = [
    Difference("nothing returned", _answer("none"), Reply(204, headers=_JSON), Reply(204), _NO_BODY),
    Difference("nothing with a status", _answer("none-204"), Reply(204, headers=_JSON), Reply(204), _NO_BODY),
    Difference("NoContent", _answer("no-content"), Reply(204, headers=_JSON), Reply(204), _NO_BODY),
    Difference("NoContent with a status", _answer("no-content-204"), Reply(204, headers=_JSON), Reply(204), _NO_BODY),
    Difference(
        "flask.request",
        _answer("flask-request"),
        Reply(200, {"kind": "/forms-of-answer/flask-request"}),
        broken(),
        _NO_REQUEST,
    ),
    Difference(
        "flask.session",
        _answer("flask-session"),
        Reply(200, {"kind": "none"}),
        broken(),
        _NO_REQUEST,
    ),
    Difference(
        "a charset in the handler's Content-Type",
        Request("GET", "/texts/charset"),
        broken(),
        Reply(200, b"x", TEXT),
        "stock compares the whole header with the spec's media types",
    ),
    Difference(
        "a parameter whose type is in an allOf",
        Request("GET", "/composed?size=3"),
        broken(),
        Reply(200, {"size": 3}),
        "stock: KeyError 'type'",
    ),
    Difference(
        "a parameter without a type",
        Request("GET", "/typeless?any=red"),
        broken(),
        Reply(200, {"any": "red"}),
        "stock: KeyError 'type'; what has no type is a text",
    ),
    Difference(
        "the more specific of two templates",
        Request("GET", "/files/a.json"),
        Reply(200, {"json": "a.json"}),
        Reply(200, {"json": "a"}),
        "stock has two routers, of which one finds the operation and the other the parameters",
    ),
    Difference(
        "a body's default",
        Request("PATCH", "/variants"),
        Reply(200, {"body": {}}),
        Reply(200, {"body": {"a": 0}}),
        "stock takes a request without a Content-Type for application/octet-stream, whose schema has no default",
    ),
    Difference(
        "a body with 204",
        _fault("body-where-none-is"),
        Reply(204, headers=_JSON),
        broken(),
        "Flask leaves out the body of 204 before anybody can judge it",
    ),
]
