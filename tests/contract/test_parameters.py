"""Parameters as they arrive: decoded strictly, each once, and none that the contract does not know."""

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.connexion_internals import argument_name
from contract.requests.raw import is_unicode, query_values, read_headers
from contract.requests.values import value_decoder
from contract.spec.schemas import Schemas
from tests.support import ContractClient, assert_violations


def _decode(kind: str, text: str) -> Any:
    return value_decoder(frozenset({kind}), {"type": kind}, Schemas({}, response=False))(text)


NOT_INTEGERS = [
    "+1",
    "1_0",
    " 1",
    "1 ",
    "١",
    "１",
    "01",
    "-01",
    "",
    "1.0",
    "1e2",
    "0x1",
    "--1",
    "true",
    "null",
    "1\n",
    "9" * 5000,
]
KNOWN = "allowed parameters: cursor, limit, name, sort"


@pytest.mark.parametrize(
    ("name", "location", "expected"),
    [
        ("limit", "query", "limit"),
        ("item_id", "path", "item_id"),
        ("If-None-Match", "header", "if_none_match"),
        ("X-Request-Id", "header", "x_request_id"),
    ],
)
def test_a_parameter_is_an_argument_of_its_name(name: str, location: str, expected: str) -> None:
    """Headers in small letters with underscores."""
    assert argument_name(name, location) == expected


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("1", 1), ("-1", -1), ("100", 100), ("9" * 309, int("9" * 309))])
def test_an_integer_is_jsons_own_notation(text: str, value: int) -> None:
    """RFC 8259 §6."""
    assert _decode("integer", text) == value


@pytest.mark.parametrize("text", NOT_INTEGERS)
def test_what_only_python_reads_as_an_integer_stays_text(text: str) -> None:
    """So that the validator refuses it."""
    assert _decode("integer", text) == text


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("-0.5", -0.5), ("1e2", 100.0), ("1E-2", 0.01)])
def test_a_number_is_jsons_own_notation(text: str, value: float) -> None:
    """RFC 8259 §6."""
    assert _decode("number", text) == value


@pytest.mark.parametrize("text", ["inf", "nan", ".5", "5.", "1_0.0", "+1", "٣", "", "1" * 310])
def test_what_only_python_reads_as_a_number_stays_text(text: str) -> None:
    """So that the validator refuses it."""
    assert _decode("number", text) == text


def test_a_number_beyond_a_double_stays_text() -> None:
    """Infinity is not a value that JSON has."""
    assert _decode("number", "1e999") == "1e999"


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("false", False), ("True", "True"), ("1", "1"), ("", ""), ("on", "on")]
)
def test_a_boolean_is_true_or_false(text: str, value: Any) -> None:
    """In small letters."""
    assert _decode("boolean", text) is value or _decode("boolean", text) == value


@pytest.mark.parametrize("text", ["1", "true", "null", "", " x "])
def test_a_string_stays_as_it_is(text: str) -> None:
    """Also when it looks like something else."""
    assert _decode("string", text) == text


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        (b"", {}),
        (b"a=1", {"a": ["1"]}),
        (b"a=1&a=2&b=", {"a": ["1", "2"], "b": [""]}),
        (b"a", {"a": [""]}),
        (b"&&a=1&", {"a": ["1"]}),
        (b"a=b=c", {"a": ["b=c"]}),
        (b"a=x+y%2Bz", {"a": ["x y+z"]}),
        (b"%61=%C3%A9", {"a": ["é"]}),
        (b"a=1;b=2", {"a": ["1;b=2"]}),
        (b"=x", {"": ["x"]}),
        (b"a=%", {"a": ["%"]}),
        (b"a=%zz", {"a": ["%zz"]}),
        (b"a=%00", {"a": ["\0"]}),
    ],
)
def test_a_query_is_form_urlencoded(query: bytes, texts: dict[str, list[str]]) -> None:
    """WHATWG URL §5.1."""
    assert query_values(query) == texts


@pytest.mark.parametrize(("path", "expected"), [("a", True), ("é😀", True), ("\udcff", False), ("a\ud800", False)])
def test_a_path_with_unpaired_surrogates_was_not_utf_8(path: str, expected: bool) -> None:  # noqa: FBT001
    """Servers put them where bytes could not be decoded."""
    assert is_unicode(path) is expected


@pytest.mark.parametrize("query", [b"a=%ff", b"%ff=a", b"a=\xff", b"a=%ED%A0%80", b"a=%C3"])
def test_a_query_that_is_not_utf_8_is_an_error(query: bytes) -> None:
    """Nothing is replaced in silence."""
    with pytest.raises(UnicodeDecodeError):
        query_values(query)


@given(query=st.text(st.sampled_from("ab=&+é"), max_size=12).map(str.encode))
def test_an_escape_changes_nothing_elsewhere(query: bytes) -> None:
    """A query without any is decoded at once."""
    assert query_values(query + b"&z=%7A") == query_values(query) | {"z": ["z"]}


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ([], None),
        ([(b"if-match", b' "1"\t')], '"1"'),
        ([(b"if-match", b'"1"'), (b"other", b"x"), (b"if-match", b'"2"')], '"1", "2"'),
        ([(b"if-match", b"")], ""),
        ([(b"if-match", b"\xe9")], "é"),
    ],
)
def test_lines_of_a_header_are_one_list(headers: list[tuple[bytes, bytes]], text: str | None) -> None:
    """RFC 9110 §5.3."""
    assert read_headers(headers, frozenset({b"if-match"})).get(b"if-match") == text


@pytest.mark.parametrize("text", ["%2B1", "1_0", "%201", "%D9%A1", "%EF%BC%91", "01", "", "1.0", "9" * 5000])
def test_a_limit_that_is_not_an_integer_is_refused(client: ContractClient, text: str) -> None:
    """By its name."""
    assert_violations(client.get(f"/items?limit={text}"), {"parameter": "limit", "detail": "must be an integer"})


@pytest.mark.parametrize(
    "text", ["+1", "1_0", "%201", "%D9%A1", "01", "1.0", "x", "9" * 5000, "1%0A", "1%00", "%FF", "null", "-"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_that_is_not_an_integer_is_refused(client: ContractClient, method: str, text: str) -> None:
    """400, not 404: what an id looks like is in the contract."""
    expected = {"parameter": "item_id", "detail": "must be an integer"}
    assert_violations(client.request(method, f"/items/{text}"), expected)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("0", "must be at least 1"),
        ("-1", "must be at least 1"),
        ("9007199254740992", "must be at most 9007199254740991"),
        ("9" * 309, "must be at most 9007199254740991"),
    ],
)
def test_an_id_out_of_range_is_refused(client: ContractClient, text: str, detail: str) -> None:
    """The database is not asked."""
    assert_violations(client.get(f"/items/{text}"), {"parameter": "item_id", "detail": detail})


@pytest.mark.parametrize("query", ["limit=1&limit=1", "limit=1&limit=2", "limit=1&lim%69t=1", "limit&limit"])
def test_a_parameter_given_twice_is_refused(client: ContractClient, query: str) -> None:
    """Which of the two was meant is not for the service to guess, also when they are alike."""
    expected = {"parameter": "limit", "detail": "is given more than once"}
    assert_violations(client.get(f"/items?{query}"), expected)


@pytest.mark.parametrize("name", ["offset", "Limit", "limit[]", "", "name%20", "limits"])
def test_an_unknown_parameter_is_refused(client: ContractClient, name: str) -> None:
    """And those that there are are named."""
    response = client.get(f"/items?{name}=1")
    assert response.json()["errors"] == [{"parameter": unquote(name), "detail": f"is not allowed here; {KNOWN}"}]
    assert response.status_code == 400


@pytest.mark.parametrize("length", [200, 201, 1000, 3000])
def test_an_unknown_parameter_with_a_long_name_keeps_the_response_in_its_contract(
    client: ContractClient, length: int
) -> None:
    """The name is shortened to what the contract allows."""
    response = client.get(f"/items?{'x' * length}=1")
    (error,) = response.json()["errors"]
    assert response.status_code == 400
    assert len(error["parameter"]) <= 200


@pytest.mark.parametrize("path", ["/items/1", "/healthz", "/readyz"])
def test_where_no_parameter_is_known_none_is_taken(client: ContractClient, path: str) -> None:
    """On any path."""
    expected = {"parameter": "x", "detail": "is not allowed here; allowed parameters: none"}
    assert_violations(client.get(f"{path}?x=1"), expected)


def test_an_unknown_parameter_of_a_write_is_refused_before_anything_is_written(client: ContractClient) -> None:
    """Together with what is wrong with the body."""
    assert_violations(
        client.post("/items?dry_run=true", json={}),
        {"parameter": "dry_run", "detail": "is not allowed here; allowed parameters: none"},
        {"pointer": "/name", "detail": "is required"},
    )
    assert client.post("/items?dry_run=true", json={"name": "x"}).status_code == 400
    assert client.get("/items").json() == []


@pytest.mark.parametrize("query", [b"name=%ff", b"name=\xff", b"%ff=1", b"limit=1&name=%ED%A0%80"])
def test_a_query_that_is_not_utf_8_is_refused(client: ContractClient, query: bytes) -> None:
    """Of the query as a whole: which parameter it is cannot always be said."""
    expected = {"parameter": "", "detail": "is not percent-encoded UTF-8"}
    assert_violations(client.exchange("GET", "/items", query=query), expected)


def test_all_violations_are_told_at_once(client: ContractClient) -> None:
    """Path, query, header and body."""
    response = client.patch("/items/0?x=1", json={"name": "", "nme": 1}, headers={"If-Match": "1"})
    name = "must not be blank, and must not contain control characters (U+0000 to U+001F, U+007F)"
    assert_violations(
        response,
        {"header": "If-Match", "detail": 'must be * or quoted entity tags with commas between them, such as "1"'},
        {"parameter": "item_id", "detail": "must be at least 1"},
        {"parameter": "x", "detail": "is not allowed here; allowed parameters: none"},
        {"pointer": "/name", "detail": "must have at least 1 character; it has 0"},
        {"pointer": "/name", "detail": name},
        {"pointer": "/nme", "detail": "is not allowed here; allowed properties: description, name"},
    )


@pytest.mark.parametrize(
    "name", ["a,b", "a&b", "a+b", "a=b", "a%b", "a b", "a;b", "a|b", '"a"', "é", "😀", "true", "1", "[]", "{}", "#?/"]
)
def test_a_parameter_reaches_the_handler_as_it_was_meant(client: ContractClient, name: str) -> None:
    """Decoded once; commas do not divide it."""
    item = client.create(name)
    client.create("another")
    assert client.get("/items", params={"name": name}).json() == [item]
