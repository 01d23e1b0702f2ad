"""A contract with nearly everything that OpenAPI 3.0.3 allows is compiled and served."""

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any
from urllib.parse import unquote

import pytest
from openapi_spec_validator import validate

from contract.spec.loading import load as load_contract
from contract.spec.operations import Route, routes
from tests.contract.specs.application import (
    SPECS,
    Exchange,
    Expected,
    Request,
    Service,
    broken,
    listening,
    load,
    problem,
    refused,
    serving,
)
from tests.contract.specs.nasty_handlers import results
from tests.support import _assembled, _scope

TEXT = "text/plain; charset=utf-8"
FORM = [("Content-Type", "application/x-www-form-urlencoded")]
BYTES = [("Content-Type", "application/octet-stream")]
MERGE_PATCH = [("Content-Type", "application/merge-patch+json")]
JSON = [("Content-Type", "application/json")]
KIND = {"kind": "k"}
HUGE = 10**307  # close to the largest double
COUNT = {"X-Count": "3"}
REQUIRED = "/required?filter%5Bname%5D=a@b.c&half-open=0.5"
NOT_ALLOWED = "is not allowed here; allowed properties"
NOT_A_FORM = "must match exactly one of the schemas that are allowed here"
DEFAULTS = {"words": ["a"], "size": 3, "x_mode": "slow", "theme": "plain", "off": False, "maybe": 1, "shade": "-"}


def _get(path: str, expected: Expected, *headers: tuple[str, str]) -> Exchange:
    return Exchange(f"GET {path} {' '.join(map('='.join, headers))}".strip(), Request("GET", path, headers), expected)


def _echo(path: str, *headers: tuple[str, str], **given: Any) -> Exchange:
    return _get(path, Expected(200, given), *headers)


def _post(path: str, body: Any, expected: Expected | None = None) -> Exchange:
    return Exchange(f"POST {path} {body}", Request("POST", path, body=body), expected or Expected(200, {"body": body}))


def _thing(expected: Expected | None = None, **properties: Any) -> Exchange:
    return _post("/things", {"id": 1, **properties}, expected)


def _owned(name: str, expected: Expected, **properties: Any) -> Exchange:
    return _post("/owned", {"name": name, "secret": "s", **properties}, expected)


def _wrong(place: str, at: str, detail: str) -> Expected:
    return refused((place, at, detail))


def _element(name: str, detail: str) -> Expected:
    return _wrong("parameter", name, detail)


PARAMETERS = [
    _echo("/arrays"),
    _echo("/arrays?form=1&form=2", form=[1, 2]),
    _echo(f"/arrays?form={2**64}&form={-HUGE}", form=[2**64, -HUGE]),
    _echo("/arrays?joined=1,2&form=3", form=[3], joined=[1, 2]),
    _echo("/arrays?spaced=1%202.5&piped=true|false", spaced=[1.0, 2.5], piped=[True, False]),
    _get("/arrays?form=1&form=1", _element("form", "must not contain the same element twice")),
    _get("/arrays?joined=1&joined=2", _element("joined", "is given more than once")),
    _get("/arrays?joined=1,2,3,4", _element("joined", "must have at most 3 elements; it has 4")),
    _get("/arrays?form=", _element("form", "element 0 must be an integer")),
    _get(
        "/arrays?form=x&joined=1,y",
        refused(
            ("parameter", "form", "element 0 must be an integer"),
            ("parameter", "joined", "element 1 must be an integer"),
        ),
    ),
    _echo("/arrays", ("X-Numbers", "1,2"), ("X-Words", "a,b"), x_numbers=[1, 2], x_words=["a", "b"]),
    _echo("/arrays", ("X-Numbers", "1, 2"), ("X-Words", "a , b"), x_numbers=[1, 2], x_words=["a", "b"]),
    _echo("/arrays", ("X-Numbers", "1"), ("X-Numbers", "2"), x_numbers=[1, 2]),
    _echo("/arrays", ("Cookie", "fruits=fig,pear"), fruits=["fig", "pear"]),
    _get("/arrays", _element("fruits", "element 0 must be one of: fig, pear"), ("Cookie", "fruits=plum")),
    _echo("/exploded/piped?ids=1|2", ids=[1, 2]),
    _echo("/exploded/piped?ids=1&ids=2", ids=[1, 2]),
    _echo("/exploded/piped", ids=None),
    _get("/exploded/piped?ids=x", _element("ids", "element 0 must be an integer")),
    _echo("/exploded/cookie", ids=None),
    _echo("/exploded/cookie", ("Cookie", "ids=1"), ids=[1]),
    _get("/exploded/cookie", _element("ids", "element 0 must be an integer"), ("Cookie", "ids=x")),
    _echo("/deep?filter[name]=x&filter[size]=2", filter={"name": "x", "size": 2}),
    _get("/deep?filter[name]=x&filter[more]=2", _element("filter", f"element more {NOT_ALLOWED}: name, size")),
    _get("/deep?filter[size]=x", _element("filter", "element size must be an integer")),
    _get("/deep?filter[name]=x&filter[name]=y", _element("filter", "is given more than once")),
    _get("/deep?filter=x", _element("filter", "must be an object")),
    _get("/deep", _element("filter", "is required")),
    _echo("/typeless", any=None),
    _echo("/typeless?any=red", any="red"),
    _get("/typeless?any=green", _element("any", "must be one of: red, blue")),
    _echo("/composed?size=3", size=3),
    _get("/composed?size=2", _element("size", "must be at least 3")),
    _echo("/composed", size=None),
    _echo("/defaults", **DEFAULTS),
    _echo("/defaults?words=b&maybe=null&shade=null", **DEFAULTS | {"words": ["b"], "maybe": None, "shade": None}),
    _echo(
        "/defaults?off=true&size=4",
        ("X-Mode", "fast"),
        ("Cookie", "theme=dark"),
        **DEFAULTS | {"off": True, "size": 4, "x_mode": "fast", "theme": "dark"},
    ),
    _get(
        "/defaults?shade=x&maybe=",
        refused(
            ("parameter", "maybe", "must be an integer or null"), ("parameter", "shade", "must be one of: dark, light")
        ),
    ),
    _echo(
        REQUIRED, ("X-Count", "1"), ("Cookie", "session=ab"), x_count=1, session="ab", filter_name="a@b.c", halfopen=0.5
    ),
    _echo(
        REQUIRED,
        ("X-Count", "1"),
        ("Cookie", "session=ab"),
        ("Cookie", "a=b"),
        x_count=1,
        session="ab",
        filter_name="a@b.c",
        halfopen=0.5,
    ),
    _get(
        "/required",
        refused(
            ("header", "X-Count", "is required"),
            *(("parameter", name, "is required") for name in ("filter[name]", "half-open", "session")),
        ),
    ),
    _get(
        "/required?filter[name]=a&half-open=0",
        refused(
            ("header", "X-Count", "must be at least 1"),
            ("parameter", "filter[name]", "must be a valid email"),
            ("parameter", "half-open", "must be more than 0"),
            ("parameter", "session", "must have at least 2 characters; it has 1"),
        ),
        ("X-Count", "0"),
        ("Cookie", "session=a"),
    ),
    _echo("/any-arguments?size=3", word="none", size=3),
    _get("/any-arguments?sixe=1", _element("sixe", "is not allowed here; allowed parameters: size, word")),
    _echo("/pairs/1-2,3.txt", left=1, right=[2, 3], ext="txt"),
    _get(
        "/pairs/a-2.text",
        refused(
            ("parameter", "ext", "must have at most 3 characters; it has 4"),
            ("parameter", "left", "must be an integer"),
        ),
    ),
    _get("/pairs/1-2.a.b", _element("right", "element 0 must be an integer")),
    _echo("/dashed/3", node_id=3),
    _get("/dashed/x", _element("node-id", "must be an integer")),
    _echo("/files/a", file="a"),
    _echo("/files/%C3%A9%20b", file="é b"),
    _echo("/files/index", index=True),
    _get("/files/a.json", Expected(200, {"json": "a"})),
    Exchange(
        "a fixed path's methods are its own",
        Request("DELETE", "/files/index"),
        Expected(
            405,
            problem(405, "DELETE is not allowed here; allowed methods: GET, HEAD, OPTIONS.").body,
            "application/problem+json",
            {"Allow": "GET, HEAD, OPTIONS"},
        ),
    ),
]
BODIES = [
    _post("/trees", {"value": 1, "children": [{"value": 2, "parent": {"value": 3}}]}),
    _post(
        "/trees",
        {"value": 1, "children": [{"value": "2", "x": 1}]},
        refused(
            ("pointer", "/children/0/value", "must be an integer"),
            ("pointer", "/children/0/x", "is not allowed here; allowed properties: children, parent, value"),
        ),
    ),
    _post("/trees", {"value": 1, "parent": {}}, _wrong("pointer", "/parent/value", "is required")),
    _post("/shapes", {"kind": "circle", "r": 1}),
    _post("/shapes", {"kind": "square", "side": 1, "label": 1}),
    _post("/shapes", {"kind": "circle", "r": 1, "label": "abcd"}, _wrong("pointer", "", NOT_A_FORM)),
    _post("/shapes", {"kind": "square", "r": 1}, _wrong("pointer", "", NOT_A_FORM)),
    _post("/things", {}),  # its id is readOnly
    _post("/things", {"id": "x"}, _wrong("pointer", "/id", "must be an integer")),
    _owned("good", Expected(200, {"id": 1, "name": "good", "parts": [{"number": 1, "title": "t"}]})),
    _owned("good", Expected(200, {"id": 1, "name": "good", "parts": [{"number": 1, "title": "t"}]}), id=7),
    _post("/owned", {"name": "good"}, _wrong("pointer", "/secret", "is required")),
    _owned(
        "good",
        refused(("pointer", "/parts/0/title", "is required"), ("pointer", "/parts/1/title", "must be a string")),
        parts=[{}, {"title": 1}],
    ),
    _owned("no-id", broken()),
    _owned("no-number", broken()),
    _owned("no-title", broken()),
    _thing(secret="s"),  # noqa: S106  # a property of a thing
    _thing(shade=None, other_shade=None),
    _thing(
        refused(*(("pointer", f"/{name}", "must be one of: dark, light") for name in ("other_shade", "shade"))),
        shade="x",
        other_shade="x",
    ),
    _thing(_wrong("pointer", "/price", "must be a multiple of 0.01"), price=0.001),
    _thing(price=19.99),
    _thing(price=HUGE),
    _thing(step=HUGE),
    _thing(step=-HUGE),
    _thing(_wrong("pointer", "/step", "must be a multiple of 5"), step=HUGE + 1),
    _thing(_wrong("pointer", "/high", "must be less than 10"), high=HUGE),
    _thing(_wrong("pointer", "/low", "must be more than 0"), low=-HUGE),
    _thing(_wrong("pointer", "/step", "must be a multiple of 5"), step=7),
    _thing(_wrong("pointer", "/low", "must be more than 0"), low=0),
    _thing(_wrong("pointer", "/high", "must be less than 10"), high=10),
    _thing(_wrong("pointer", "/low", "must be an integer"), low=1.0),
    _thing(_wrong("pointer", "/high", "must be a number"), high=True),
    _thing(enum=None, default=None, example=None, type="t", nullable=True),
    _thing(
        refused(
            ("pointer", "/default", "must be a string or null"),
            ("pointer", "/enum", "must be a string or null"),
            ("pointer", "/example", "must be an integer or null"),
        ),
        enum=1,
        default=1,
        example="x",
    ),
    _thing(_wrong("pointer", "/unique", "must not contain the same element twice"), unique=[1, 1.0]),
    _thing(unique=[1, True]),
    _thing(_wrong("pointer", "/map", "must have at least 1 property; it has 0"), map={}),
    _thing(
        refused(
            ("pointer", "/map", "must have at most 2 properties; it has 3"), ("pointer", "/map/a", "must be an integer")
        ),
        map={"a": "b", "c": 1, "d": 1},
    ),
    _thing(_wrong("pointer", "/never", "is a value that the contract excludes"), never="x"),
    *(
        _thing(
            _wrong("pointer", f"/formats/{name.replace('-', '_')}", f"must be a valid {name}"),
            formats={name.replace("-", "_"): "not %% ~2 {x ("},
        )
        for name in ("date", "date-time", "time", "email", "idn-email", "hostname", "ipv4", "ipv6", "uri", "regex")
    ),
    *(
        _thing(formats={name: "not %% ~2 {x"})
        for name in ("uuid", "byte", "binary", "password", "own", "uri_reference", "json_pointer", "duration", "iri")
    ),
    Exchange("one variant", Request("PATCH", "/variants", MERGE_PATCH, {"b": 1}), Expected(200, {"body": {"b": 1}})),
    Exchange("the other variant", Request("PATCH", "/variants", (), {"a": 1}), Expected(200, {"body": {"a": 1}})),
    Exchange(
        "a variant's schema",
        Request("PATCH", "/variants", MERGE_PATCH, {"a": 1}),
        _wrong("pointer", "/b", "is required"),
    ),
    Exchange("a variant's missing body", Request("PATCH", "/variants", MERGE_PATCH), Expected(200, {"body": {}})),
    _post("/maybe", b"", Expected(200, {"body": {}})),
    Exchange("null", Request("POST", "/maybe", JSON, b"null"), Expected(200, {"body": None})),
    Exchange("nothing where null may be", Request("POST", "/maybe", JSON, b""), Expected(200, {"body": None})),
    Exchange(
        "a form",
        Request("POST", "/form?size=2", FORM, b"name=x&age=3"),
        Expected(200, {"body": {"name": "x", "age": 3}, "size": 2}),
    ),
    Exchange(
        "a form's missing property", Request("POST", "/form", FORM, b"age=3"), _wrong("pointer", "/name", "is required")
    ),
    Exchange(
        "a form's wrong property",
        Request("POST", "/form", FORM, b"name=x&age=y"),
        _wrong("pointer", "/age", "must be an integer"),
    ),
    Exchange(
        "a parameter beside a form",
        Request("POST", "/form?size=x", FORM, b"name=x"),
        _element("size", "must be an integer"),
    ),
    Exchange(
        "an unknown parameter beside a form",
        Request("POST", "/form?x=1", FORM, b"name=x"),
        _element("x", "is not allowed here; allowed parameters: size"),
    ),
    Exchange(
        "a form in parts",
        Request(
            "POST",
            "/upload",
            [("Content-Type", "multipart/form-data; boundary=B")],
            b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--B--\r\n',
        ),
        Expected(200, {"body": {"name": "x"}}),
    ),
    Exchange(
        "a form with a property twice",
        Request("POST", "/form", FORM, b"name=x&name=y"),
        _wrong("pointer", "/name", "is given more than once"),
    ),
    Exchange(
        "a form that is not UTF-8",
        Request("POST", "/form", FORM, b"name=%ff"),
        _wrong("pointer", "", "is not percent-encoded UTF-8"),
    ),
    Exchange(
        "a form in parts without a boundary",
        Request("POST", "/upload", [("Content-Type", "multipart/form-data")], b"x"),
        _wrong("pointer", "", "has no boundary in its Content-Type"),
    ),
    Exchange("a body's default", Request("PATCH", "/variants", MERGE_PATCH[:0]), Expected(200, {"body": {"a": 0}})),
    Exchange("bytes", Request("POST", "/raw-body", BYTES, b"\x00\xff"), Expected(200, {"length": 2})),
    Exchange("no bytes", Request("POST", "/raw-body", BYTES, b""), _wrong("pointer", "", "is required")),
    _post(
        "/context?",
        {"a": 1},
        Expected(
            200,
            {
                "body": {"a": 1},
                "application": "application",
                "g is new": True,
                "operation": "post_context",
                "method": "POST",
                "path": "/context",
                "query": "",
                "header": "asked-by-a-test",
                "client": True,
            },
        ),
    ),
]
KIND_COUNTED = Expected(200, KIND, headers=COUNT)
RESULTS = [
    *(_get(f"/results/{kind}", Expected(200, KIND)) for kind in ("data", "one", "jsonify", "closing")),
    *(
        _get(f"/results/{kind}", Expected(201, KIND))
        for kind in ("status", "http-status", "make-response", "flask-in-tuple")
    ),
    *(
        _get(f"/results/{kind}", KIND_COUNTED)
        for kind in ("headers", "no-status", "number-header", "small-header", "werkzeug-headers", "flask")
    ),
    _get("/results/all", Expected(200, KIND, headers=COUNT | {"X-Ratio": "0.5", "X-Done": "true", "X-Names": "a,b"})),
    _get("/results/connexion", Expected(201, KIND, headers=COUNT)),
    _get("/results/connexion-problem", problem(418, "Short.")),
    _get("/results/problem", problem(418, "Stout.")),
    _get("/results/connexion-error", problem(400, "No.")),
    _get("/results/abort", problem(404, "Nowhere.")),
    _get("/results/default", Expected(503, KIND)),
    _get("/results/error", broken()),
    _get("/results/crlf", broken()),
    _get("/values/datetime", Expected(200, {"moment": "2026-02-03T04:05:06+00:00"})),
    _get("/values/date", Expected(200, {"day": "2026-02-03"})),
    _get("/values/list", Expected(200, {"value": ["2026-02-03"]})),
    _get("/values/decimal", Expected(200, {"number": 1.5})),
    _get("/values/uuid", Expected(200, {"value": "00000000-0000-0000-0000-000000000007"})),
    _get("/values/tuple", Expected(200, {"value": [1, 2]})),
    _get("/values/big", Expected(200, {"value": 2**63 - 1})),
    _get("/values/huge", Expected(200, {"value": [10**30, {"a": -HUGE}]})),
    _get("/values/unicode", Expected(200, '{"value":"é😀\u2028</script>"}\n'.encode())),
    _get("/values/keys", Expected(200, {"value": {"1": 2}})),
    _get("/values/named-tuple", Expected(200, {"value": [1, 2]})),
    *(_get(f"/values/{kind}", broken()) for kind in ("nan", "too-huge", "set", "not-a-date")),
    *(_get(f"/texts/{kind}", Expected(200, "café".encode(), TEXT)) for kind in ("str", "bytes")),
    *(_get(f"/texts/{kind}", Expected(200, b"x", TEXT)) for kind in ("named", "flask")),
    _get("/texts/generator", Expected(200, "aé".encode(), TEXT)),
    _get("/texts/empty", Expected(200, b"", TEXT)),
    _get("/texts/long-enough", Expected(200, "é".encode() * 100, TEXT)),
    *(_get(f"/texts/{kind}", broken()) for kind in ("long", "long-bytes", "long-flask")),
    _get("/xml", Expected(200, b"<x/>", "application/xml; charset=utf-8")),
    *(
        _get(f"/bytes/{kind}", Expected(200, b"\x00\xff", "application/octet-stream"))
        for kind in ("bytes", "generator", "iterator", "list", "flask")
    ),
    _get("/image", Expected(200, b"GIF", "image/gif")),
    _get("/several/json", Expected(200, {"a": 1})),
    _get("/several/vnd", Expected(200, {"v": 1}, "application/vnd.nasty+json")),
    _get("/several/text", Expected(200, b"plain", TEXT)),
    _get("/several/bytes", Expected(200, b"\x00", "application/octet-stream")),
    *(_get(f"/several/{kind}", broken()) for kind in ("vnd-wrong", "dict")),
    _get("/async/a", Expected(200, {"application": "application", "kind": "a"})),
    _get("/async/problem", problem(418, "Stout.")),
    *(_get(f"/results/{kind}", Expected(204)) for kind in ("none", "none-204", "no-content", "no-content-204")),
    _get("/results/flask-request", broken()),
    _get("/texts/charset", Expected(200, b"x", TEXT)),
    _get("/forwarded/a", Expected(200, {"name": "a", "path": "/forwarded/a"})),
    _get("/pieces", Expected(200, b"ab", TEXT)),
]
FAULTS = {
    "status": "status 299 is not documented",
    "empty-status": "status 299 is not documented",
    "media-type": "status 200 cannot have the media type text/csv",
    "named-media-type": "status 200 cannot have the media type application/xml",
    "no-body": "status 200: the body does not match its schema: the whole must be an object (it is of type NoneType)",
    "not-json": "status 200: the body is not JSON",
    "bad-json": "status 200: the body is not JSON",
    "missing-header": "status 200: the header X-Must is missing",
    "wrong-header": "status 200: the header X-Must has the value '10', which does not match its schema",
    "text-header": "status 200: the header X-Must has the value 'one', which does not match its schema",
    "other-header": "status 200: the header X-May has the value 'A', which does not match its schema",
    "body-where-none-is": "status 204 has a body, and none is documented",
    "class": "status 418: the body does not match its schema: /why is required (it is of type nothing)",
    "pieces": "status 299 is not documented",
    "problem": "problem 503 is not documented",
    "problem-media-type": "problem 418 cannot have the media type application/problem+json",
}
MUST = {"X-Must": "1"}
LOGGED_ONLY = {  # what is sent although it is not in the contract
    "status": Expected(299, {"id": 1}, headers=MUST),
    "empty-status": Expected(299, headers=MUST),
    "media-type": Expected(200, b"x", "text/csv; charset=utf-8", MUST),
    "no-body": Expected(200, b"null\n", headers=MUST),
    "missing-header": Expected(200, {"id": 1}),
    "wrong-header": Expected(200, {"id": 1}, headers={"X-Must": "10"}),
    "bad-json": Expected(200, b"{", headers=MUST),
    "class": Expected(418, {"what": 1}),
    "pieces": Expected(299, b"x" * 100, TEXT, MUST),
    "problem": problem(503, "Not in the contract."),
    "problem-media-type": problem(418, "Not in the contract."),
}
EXCHANGES = PARAMETERS + BODIES + RESULTS
ROUTES = routes(load_contract(SPECS / "nasty.yaml"))


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """The nasty contract, served."""
    with serving("nasty") as started:
        yield started


def test_the_spec_is_one() -> None:
    """OpenAPI 3.0.3."""
    validate(load("nasty"))


@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
def test_a_response(service: Service, exchange: Exchange) -> None:
    """Whole, and the same on both pipelines."""
    exchange.expected.check(exchange.request.put_to(service))


def test_every_operation_is_asked() -> None:
    """By an exchange, or by a test of its own."""
    asked = {
        route.operations[exchange.request.method].operation_id
        for exchange in EXCHANGES
        if (route := _route(exchange.request.path)) and exchange.request.method in route.operations
    }
    others = {"get_stream", "get_where", "post_reread", "delete_file", "get_fault"}
    assert asked | others == {op.operation_id for route in ROUTES for op in route.operations.values()}


def _route(path: str) -> Route | None:
    path = unquote(path.partition("?")[0])
    return next((route for route in ROUTES if re.fullmatch(route.pattern, path)), None)


def test_a_default_is_new_for_every_request(service: Service) -> None:
    """A handler that spoils its list spoils it for itself."""
    for _ in range(3):
        Expected(200, DEFAULTS).check(Request("GET", "/defaults").put_to(service))


def test_two_cookies_are_set(service: Service) -> None:
    """A header that comes twice stays twice."""
    response = service.client.get("/results/two-cookies")
    assert response.headers.get_list("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]


def test_a_response_is_closed(service: Service) -> None:
    """Flask's `call_on_close`: files are closed there."""
    results.CLOSED.clear()
    service.client.get("/results/closing")
    assert results.CLOSED == ["closed"]


def test_a_body_without_a_length_or_a_media_type_is_refused(service: Service) -> None:
    """As HTTP/2 brings it: neither Content-Length nor Transfer-Encoding."""
    response = service.client.exchange("POST", "/trees", [], [b'{"value":1}'])
    assert response.status_code == 415


def test_a_handler_can_read_the_body_from_the_request(service: Service) -> None:
    """`await connexion.request.json()`."""
    Expected(200, {"same": True}).check(Request("POST", "/reread", body={"a": 1}).put_to(service))


@pytest.mark.parametrize("kind", FAULTS)
def test_a_contract_violation_is_a_500_and_a_report(service: Service, kind: str) -> None:
    """The client gets the request id, the log the operation, the status and the place."""
    with listening("contract", logging.ERROR) as said:
        broken().check(Request("GET", f"/faults/{kind}").put_to(service))
    (line,) = said
    assert f"The handler get_fault violates the contract: {FAULTS[kind]}" in line.replace("\\'", "'")


def test_every_violation_of_a_body_is_reported(service: Service) -> None:
    """Each with its pointer and the type of what is there."""
    with listening("contract", logging.ERROR) as said:
        Request("GET", "/faults/body").put_to(service)
    (line,) = said
    for place in (
        "/id must be an integer (it is of type str)",
        "/secret is a value that the contract excludes (it is of type str)",
        "/more is not allowed here; allowed properties: id, nodes, secret (it is of type int)",
        "/nodes/0/children/0/value must be an integer (it is of type NoneType)",
    ):
        assert place in line


@pytest.fixture(scope="module")
def lenient() -> Iterator[Service]:
    """The nasty contract; responses that violate it are logged only."""
    with serving("nasty", enforce=False) as started:
        yield started


@pytest.mark.parametrize("kind", LOGGED_ONLY)
def test_a_broken_contract_can_be_only_logged(lenient: Service, kind: str) -> None:
    """The response is sent as the handler meant it."""
    with listening("contract.responses.encoder", logging.ERROR) as said:
        LOGGED_ONLY[kind].check(Request("GET", f"/faults/{kind}").put_to(lenient))
    assert said == [f"The handler get_fault violates the contract: {FAULTS[kind]}"]


class _Call:
    """A request in progress: what was sent so far."""

    def __init__(self, service: Service, path: str) -> None:
        self.sent: list[Any] = []
        self.begun = threading.Event()
        portal = service.client.portal
        assert portal is not None
        self.future: Future[None] = portal.start_task_soon(self._run, service.client.app, path)

    async def _run(self, application: Any, path: str) -> None:
        requested = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            try:
                return next(requested)
            except StopIteration:
                return await asyncio.Event().wait()

        async def send(message: Any) -> None:
            self.sent.append(message)
            if message.get("body"):
                self.begun.set()

        await application(_scope("GET", path, ()), receive, send)


def test_a_long_response_does_not_hold_up_others(service: Service) -> None:
    """Several streams are open, and another request is responded."""
    results.GATE.clear()
    calls = [_Call(service, "/stream") for _ in range(3)]
    try:
        assert all(call.begun.wait(5) for call in calls)
        Expected(200, {"file": "a"}).check(Request("GET", "/files/a").put_to(service))
        assert not any(call.future.done() for call in calls)
    finally:
        results.GATE.set()
    for call in calls:
        call.future.result(5)
        assert _assembled(call.sent).content == b"first last"


@pytest.fixture(scope="module")
def threaded() -> Iterator[Service]:
    """The nasty spec compiled, its handlers on two threads."""
    with (
        ThreadPoolExecutor(2, "bounded") as executor,
        serving("nasty", run=partial(_on_thread, executor)) as started,
    ):
        yield started


async def _on_thread(executor: ThreadPoolExecutor, call: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(executor, call)


def test_handlers_run_on_an_executors_threads_and_no_others(threaded: Service) -> None:
    """However many requests there are at a time."""
    calls = [_Call(threaded, "/where") for _ in range(8)]
    for call in calls:
        call.future.result(5)
    assert {_assembled(call.sent).json()["thread"] for call in calls} == {"bounded_0", "bounded_1"}


@pytest.mark.parametrize("exchange", RESULTS, ids=str)
def test_a_response_from_an_executor(threaded: Service, exchange: Exchange) -> None:
    """Is no other."""
    exchange.expected.check(exchange.request.put_to(threaded))


@pytest.mark.parametrize("where", ["service", "threaded"])
def test_a_handler_that_raises_stop_iteration_gets_a_response(request: pytest.FixtureRequest, where: str) -> None:
    """`next()` on an empty iterator: asyncio's futures cannot hold it."""
    call = _Call(request.getfixturevalue(where), "/results/stop")
    try:
        call.future.result(2)
    except FutureTimeoutError:
        call.future.cancel()
        pytest.fail("there is no response")
    assert _assembled(call.sent).status_code == 500
