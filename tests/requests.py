"""Requests for the differential test, valid and not: Hypothesis makes them by hand, Schemathesis out of the spec."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from app import SPECIFICATION
from tests.differential import Sent
from tools.conformance.configuration import configuration
from tools.conformance.hooks import before_call

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY", "BREW", "get"]
NAMES = ["Desk lamp", "a", " ", "", "\u3000", "é", "😀" * 80, "😀" * 81, "a\n", "\x00", "x" * 81, "null", "true", "1"]
IDS = ["1", "2", "3", "7", "40", "0", "-1", "01", "+1", "1.0", "1e0", "abc", "9007199254740991", "9007199254740992",
       "9" * 30, "9" * 5000, "%31", "%ff", "1%0A", "1/", "", "1.", "..", "%2F", "١", "1%20"]  # fmt: skip
TAGS = ['"1"', '"2"', 'W/"1"', "*", '"1", "2"', '"2","3"', "1", '"', "", '"a b"', '"é"', '*, "1"', '"1" , W/"2"']
CURSORS = ["WyJpZCIsbnVsbCwxLDFd", "WyJpZCIsbnVsbCwxLDFdA", "abcd", "*", "", "a" * 1024, "a" * 1025, "W10"]
MEDIA_TYPES = ["application/json", "application/merge-patch+json", "application/json; charset=utf-8",
               "APPLICATION/JSON", "application/json; charset=latin-1", "application/json;charset=nonsense",
               "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json",
               "application/*", "application/json, text/plain", 'application/json; charset="UTF-8"']  # fmt: skip
ACCEPTS = ["*/*", "application/json", "text/html", "application/*", "application/json;q=0", "*/*;q=0", "", "nonsense",
           "application/problem+json", "text/html, */*;q=0.1", "application/json;q=x"]  # fmt: skip
RAW_BODIES = [b"", b"{", b"null", b"[]", b'"x"', b"1", b"NaN", b'{"name": NaN}', b'{"name": "a", "name": "b"}',
              b'{"name": "\\ud800"}', b'{"name": "\xff"}', b"\xef\xbb\xbf{}", b'{"name": "a"} x', b'{"name": "a",}',
              b'{"name": "\\u0000"}', b'{"name": "\\u0041"}', b'{"name": 1e400}', b'{"name": "a", "n\\u0061me": "b"}',
              b"[" * 200 + b"]" * 200, b'{"name": ' + b"9" * 500 + b"}", b"x" * 70000, b'{"name": true}',
              b'{"name": "a", "description": {"a": 1, "a": 2}}', b'{"name": 1.0}', b"{}", b" {} "]  # fmt: skip

_values = st.one_of(
    st.sampled_from(NAMES),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=90),
    st.lists(st.integers(), max_size=2),
)
_documents = st.dictionaries(
    st.sampled_from(["name", "description", "id", "created_at", "", "Name"]), _values, max_size=3
)
_good = st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES[:2])}, optional={"description": st.sampled_from([None, "d"])}
)
_bodies = st.one_of(
    st.one_of(_documents, _good).map(
        lambda document: json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    ),
    st.sampled_from(RAW_BODIES),
    st.binary(max_size=20),
)
_texts = {
    "limit": st.one_of(
        st.integers(-2, 102).map(str),
        st.sampled_from(["", "1.0", "+1", "01", " 1", "1_0", "true", "1,2", "1e1", "9" * 5000, "-0", "0x1"]),
    ),
    "sort": st.sampled_from(
        ["id", "-id", "name", "-name", "created_at", "-updated_at", "ID", "", "id,name", "description"]
    ),
    "name": st.sampled_from(NAMES),
    "cursor": st.sampled_from(CURSORS),
    "unknown": st.just("1"),
    "": st.just(""),
}
_pairs = st.sampled_from(list(_texts)).flatmap(lambda name: st.tuples(st.just(name), _texts[name]))
_queries = st.one_of(
    st.lists(_pairs, max_size=3).map(lambda pairs: "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in pairs)),
    st.sampled_from(
        ["limit", "limit&limit", "name=%ff", "%ff=1", "&&", "name=a+b", "name=%zz", "limit=1;sort=id", "=1"]
    ),
)
_paths = st.one_of(
    st.just("/items"),
    st.just("/items"),
    st.sampled_from(IDS).map(lambda item_id: f"/items/{item_id}"),
    st.integers(1, 60).map(lambda item_id: f"/items/{item_id}"),
    st.sampled_from(["/healthz", "/readyz", "/items/", "//items", "/", "/nope", "/Items", "/items/1/x", "/items%0A"]),
)


def _header(name: bytes, values: list[str]) -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    """No such header mostly; else one line of it, or two."""
    line = st.sampled_from(values).map(lambda value: (name, value.encode("utf-8")))
    return st.one_of(st.just([]), st.just([]), st.lists(line, min_size=1, max_size=2))


@st.composite
def by_hand(draw: st.DrawFn) -> Sent:
    """A request with any number of things wrong with it; in one of fifty only the body can be wrong."""
    if draw(st.integers(0, 49)) == 0:
        usual = ((b"content-type", b"application/json"),)
        return Sent("POST", b"/items", usual, (draw(st.sampled_from(RAW_BODIES[1:])),), length=True)
    method = draw(st.sampled_from(METHODS[:5] * 3 + METHODS))
    target = draw(_paths)
    if draw(st.booleans()):
        target += "?" + draw(_queries)
    headers = [
        *draw(_header(b"if-match", TAGS)),
        *draw(_header(b"if-none-match", TAGS)),
        *draw(_header(b"accept", ACCEPTS)),
    ]
    body: tuple[bytes, ...] = ()
    if method in ("POST", "PUT", "PATCH") or draw(st.integers(0, 9)) == 0:
        content = draw(_bodies)
        cut = draw(st.integers(0, len(content)))
        body = tuple(piece for piece in (content[:cut], content[cut:]) if piece)
        good = MEDIA_TYPES[method == "PATCH"]
        media_type = draw(st.one_of(st.just(good), st.just(good), st.sampled_from(MEDIA_TYPES)))
        headers += draw(st.sampled_from([[(b"content-type", media_type.encode())]] * 9 + [[]]))
        if draw(st.integers(0, 29)) == 0:
            headers.append((b"content-encoding", draw(st.sampled_from([b"gzip", b"identity"]))))
    return Sent(method, target.encode(), tuple(headers), body, length=draw(st.booleans()))


def by_schemathesis(*modes: GenerationMode) -> st.SearchStrategy[Sent]:
    """A request that Schemathesis makes out of the spec, to keep to it or to break it (either, if it is not said)."""
    schema = schemathesis.openapi.from_path(SPECIFICATION, config=configuration())
    strategies = [
        operation.as_strategy(generation_mode=mode)
        for operation in _operations(schema)
        for mode in modes or (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    return st.one_of(strategies).map(_sent)


def _operations(schema: Any) -> Iterator[Any]:
    for result in schema.get_all_operations():
        yield result.ok()


def _sent(case: Any) -> Sent:
    before_call(None, case)
    prepared = requests.Request(**_arguments(case)).prepare()
    url = urlsplit(str(prepared.url))
    target = url.path + (f"?{url.query}" if url.query else "")
    headers = tuple(
        (_bytes(name).lower(), _bytes(value))
        for name, value in prepared.headers.items()
        if name.lower() not in ("content-length", "transfer-encoding", "host", "user-agent", "x-request-id")
    )
    body = prepared.body or b""
    return Sent(str(prepared.method), target.encode(), headers, (_bytes(body),) if body else ())


def _arguments(case: Any) -> dict[str, Any]:
    arguments = case.as_transport_kwargs(base_url="http://localhost")
    return {
        key: arguments[key]
        for key in ("method", "url", "headers", "params", "json", "data", "cookies")
        if key in arguments
    }


def _bytes(text: Any) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode("latin-1", "replace")
