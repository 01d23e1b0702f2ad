"""JSON as it arrives: whatever a sender could mean two ways is refused, with its reason; the rest is taken as it is."""

import json
import re
import sys
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.problems import Problem, Violation
from contract.requests import strict_json
from contract.responses import json_body
from tests.support import ContractClient, assert_violations

DEPTHS = (*range(100, 900, 200), *range(900, 1010, 2), 5000, 30000)


def _refusal(body: bytes) -> str:
    with pytest.raises(Problem) as caught:
        strict_json.parse(body)
    (violation,) = caught.value.violations
    assert violation == Violation("pointer", "", violation.detail)
    assert caught.value.status == 400
    return violation.detail


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"a":1,"a":1}', 'has the property "a" twice in one object'),
        (b'{"a":1,"b":2,"a":3}', 'has the property "a" twice in one object'),
        (b'[{"x":{"b":1,"b":2}}]', 'has the property "b" twice in one object'),
        (b'{"a":{"b":[{"c":0,"c":0}]}}', 'has the property "c" twice in one object'),
        (b'{"a":1,"\\u0061":2}', 'has the property "a" twice in one object'),
        ('{"é":1,"é":2}'.encode(), 'has the property "\\u00e9" twice in one object'),
        (b'{"":1,"":2}', 'has the property "" twice in one object'),
        (b"NaN", "is not JSON: unexpected character, expected a JSON value at line 1, column 1"),
        (b'{"a":[Infinity]}', "is not JSON: unexpected character, expected a JSON value at line 1, column 7"),
        (b"-Infinity", "is not JSON: no digit after sign at line 1, column 2"),
        (b"1e400", "has a number that is too large"),
        (b"[-1e400]", "has a number that is too large"),
        (b"1.0E+309", "has a number that is too large"),
        (b"2" + b"0" * 308, "has a number that is too large"),
        (b'{"a":' + b"9" * 5000 + b"}", "has a number that is too large"),
        (b"-" + b"9" * 5000, "has a number that is too large"),
        (b"\xff", "is not UTF-8: byte 0 is invalid"),
        (b'{"a":"\xe9"}', "is not UTF-8: byte 6 is invalid"),
        (b'"\xc3', "is not UTF-8: byte 1 is invalid"),
        (b'"\xed\xa0\x80"', "is not UTF-8: byte 1 is invalid"),
        (b'"\xc0\x80"', "is not UTF-8: byte 1 is invalid"),
        ('{"a":1}'.encode("utf-16"), "is not UTF-8: byte 0 is invalid"),
        (b'"\\ud800"', "has an unpaired surrogate, which is not valid Unicode"),
        (b'{"a":["\\udc00x"]}', "has an unpaired surrogate, which is not valid Unicode"),
        (b'{"\\ud800":1}', "has an unpaired surrogate, which is not valid Unicode"),
        (b'"\\udc00\\ud800"', "has an unpaired surrogate, which is not valid Unicode"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"{'a':1}", "is not JSON: unexpected character, expected a string key at line 1, column 2"),
        (b'{"a":1}x', "is not JSON: unexpected content after document at line 1, column 8"),
        (b'{"a":\n01}', "is not JSON: number with leading zero is not allowed at line 2, column 1"),
        (b'"a\nb"', "is not JSON: unexpected control character in string at line 1, column 3"),
        (b'{"a":"b', "is not JSON: unexpected end of data at line 1, column 8"),
        (b'"\\x"', "is not JSON: invalid escaped sequence in string at line 1, column 2"),
        (b"nan", "is not JSON: invalid literal, expected 'null' at line 1, column 1"),
        (b"\xc2\xa01", "is not JSON: unexpected character, expected a JSON value at line 1, column 1"),
        (b'{"a":1,}', "is not JSON: trailing comma is not allowed at line 1, column 7"),
    ],
)
def test_a_refusal_says_why(body: bytes, detail: str) -> None:
    """One violation, of the body itself."""
    assert _refusal(body) == detail


@pytest.mark.parametrize("rest", [b"", b', ":"', b', "\\u003a"', b', "\\\\u003a:"'])
def test_a_large_body_is_not_searched_for_the_property_that_is_there_twice(rest: bytes) -> None:
    """Python's parser would take several milliseconds for it."""
    objects = b'{"a":1},' * 3000
    assert _refusal(b"[" + objects + b'{"a":1,"a":1}' + rest + b"]") == "has a property twice in one object"
    assert len(strict_json.parse(b"[" + objects + b'{"a":1}' + rest + b"]")) > 3000


def test_a_byte_order_mark_is_refused_in_plain_words() -> None:
    """RFC 8259 §8.1 forbids senders to add one. What Python's codecs are called is of no use to them."""
    detail = _refusal(b'\xef\xbb\xbf{"a":1}')
    assert "byte order mark" in detail.lower() or "BOM" in detail
    assert "utf-8-sig" not in detail


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b"null", None),
        (b"true", True),
        (b' {"a" : [1, 2.5, -0, 1e2]}\r\n\t', {"a": [1, 2.5, 0, 100.0]}),
        (b'"\\ud83d\\ude00"', "😀"),
        ('"😀"'.encode(), "😀"),
        (b'"\\u0000"', "\0"),
        (b'"\\\\ud800"', "\\ud800"),
        (b"9007199254740993", 9007199254740993),
        (b"1" * 309, int("1" * 309)),
        (b"-" + b"1" * 309, -int("1" * 309)),
        (b'{"a":18446744073709551616}', {"a": 2**64}),
        (b'{"a":-9223372036854775809}', {"a": -(2**63) - 1}),
        (b"1e-400", 0.0),
        (b"1.7976931348623157e308", 1.7976931348623157e308),
        (b'[{"a":1},{"a":1}]', [{"a": 1}, {"a": 1}]),
        (b'{"a":1,"A":2,"\xc3\xa1":3}', {"a": 1, "A": 2, "á": 3}),
        (b"[]", []),
    ],
)
def test_what_is_clear_is_taken_as_it_is(body: bytes, document: Any) -> None:
    """The types too: 1 is not 1.0 and not true."""
    parsed = strict_json.parse(body)
    assert parsed == document
    assert type(parsed) is type(document)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("core", ["1", '"\\u0041"'], ids=["plain", "escaped"])
def test_no_depth_is_too_much_for_a_response(depth: int, core: str) -> None:
    """Parsed or refused, at every depth, with escapes (which are looked at once more) and without."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        with suppress(Problem):
            strict_json.parse((opening * depth + core + closing * depth).encode())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("core", ["1", '"\\u0041"'], ids=["plain", "escaped"])
def test_a_hundred_levels_are_enough(opening: str, closing: str, core: str) -> None:
    """The value at the bottom is one of them."""
    strict_json.parse((opening * 99 + core + closing * 99).encode())
    assert _refusal((opening * 100 + core + closing * 100).encode()) == "is nested too deeply"


@pytest.mark.parametrize("depth", [900, 950, 960, 970, 980, 990, 1000, 30000])
def test_deep_nesting_is_a_400_through_http(client: ContractClient, depth: int) -> None:
    """Whichever part of the service meets it first."""
    body = b'{"name":' + b"[" * depth + b'"\\u0041"' + b"]" * depth + b"}"
    response = client.post("/items", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["detail"] in ("The body is nested too deeply", "/name: must be a string")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"name":"a","name":"b"}', 'has the property "name" twice in one object'),
        (b'{"name":"\\ud800"}', "has an unpaired surrogate, which is not valid Unicode"),
        (b'{"name":"\xff"}', "is not UTF-8: byte 9 is invalid"),
        (b'{"name":' + b"1" * 5000 + b"}", "has a number that is too large"),
        (b'{"name":NaN}', "is not JSON: unexpected character, expected a JSON value at line 1, column 9"),
        (b"{", "is not JSON: unexpected end of data at line 1, column 2"),
        (b"", "is required"),
    ],
)
def test_a_refusal_is_the_response(client: ContractClient, body: bytes, detail: str) -> None:
    """As a 400 with one violation, and nothing is stored."""
    response = client.post("/items", content=body, headers={"Content-Type": "application/json"})
    assert_violations(response, {"pointer": "", "detail": detail})
    assert client.get("/items").json() == []


_CHARACTERS = st.text(st.sampled_from('a"\\{}[]:,1 é\ud83d'), max_size=6)
_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), _CHARACTERS, st.lists(st.integers(), max_size=2)
)
_BODIES = st.one_of(
    st.dictionaries(_CHARACTERS, _VALUES, max_size=3).map(json.dumps).map(str.encode),
    st.lists(st.tuples(_CHARACTERS, _VALUES), max_size=3).map(
        lambda pairs: ("{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in pairs) + "}").encode()
    ),
    st.recursive(
        _VALUES, lambda part: st.lists(part, max_size=3) | st.dictionaries(_CHARACTERS, part, max_size=3), max_leaves=8
    )
    .map(json.dumps)
    .map(str.encode),
    st.text(st.sampled_from('{}"a:,1 \\u0'), max_size=12).map(str.encode),
    st.binary(max_size=8),
)


def _typed(value: Any) -> Any:
    """The value with its types, and the order of its properties."""
    if isinstance(value, dict):
        return [(name, _typed(part)) for name, part in value.items()]
    return [_typed(part) for part in value] if isinstance(value, list) else (type(value), repr(value))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)


def _depth(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, parts), default=isinstance(value, dict | list))


def _reference(body: bytes) -> Any:
    """The document as Python's parser reads it. Raise ValueError for what that accepts too much of."""
    document = json.loads(body.decode(), object_pairs_hook=_once)
    json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    for number in re.findall(r"-?[0-9]{309,}", body.decode()):
        if abs(int(number)) > sys.float_info.max:
            raise ValueError("too large")
    if _depth(document) > 100:
        raise ValueError("too deep")
    return _typed(document)


def _outcome(parse: Any, body: bytes) -> Any:
    try:
        return parse(body)
    except ValueError:
        return "refused"


@given(body=_BODIES)
@example(b'{"a":1,"a":1}')
@example(b'{"a":":","a":":"}')
@example(b'["\\"","{:",{"a":"\\\\","a":1}]')
@example(b'{"a":1,"a":1,"b":"\\u003a"}')
@example(b'{"a":1,"a":1,"b":"\\u003A"}')
@example(b'{"a":":","b":"\\u003a"}')
@example(b'{"a":":","b":111111111111111111111111111111,"c":{"d":[1,{}]}}')
@example(b'[{"a":"[{"},{"b":"]"},[],{},[[{"c":1,"c":1}]]]')
@example(b"[" * 100 + b"]" * 100)
@example(b"[" * 101 + b"]" * 101)
@example(b"[18446744073709551616, -9223372036854775809, 9223372036854775808]")
@example(b"[1e400]")
@example(b"[NaN]")
@example(b"1" * 309)
@example(b"2" * 309)
@example(b'"\\ud800"')
@example(b'{"a":1,"b":{"a":1,"a":1}}')
@example(b"[0.10000000000000000000000001, 123456789012345678901234567890e-10]")
@example(b'["\\ud83d\\ude00", "\\ud83d"]')
@example(b"[" * 100 + b"1" + b"]" * 100)
def test_bodies_are_read_as_by_pythons_parser(body: bytes) -> None:
    """The same values of the same types. What is ambiguous is refused."""
    found = _outcome(lambda body: _typed(strict_json.parse_any(body)), body)
    assert found == _outcome(_reference, body)


def test_documents_leave_compact_in_utf_8_with_a_newline() -> None:
    """Nothing is escaped that need not be."""
    assert json_body.encode({"name": "Löwe 😀", "n": None}) == '{"name":"Löwe 😀","n":null}\n'.encode()
    assert json.loads(json_body.encode([])) == []


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**308 - 1])
def test_an_integer_leaves_as_it_is(number: int) -> None:
    """However deep it is, and can be read again, by the service and by others; a double would be another number."""
    document = {"a": [number, {"b": number, "c": 1.5}]}
    body = json_body.encode({"a": (number, {"b": number, "c": 1.5})})
    assert json_body.decode(body) == strict_json.parse(body) == json.loads(body) == document
    assert isinstance(json_body.decode(json_body.encode(number)), int)


@pytest.mark.parametrize("value", [10**309, {(1,): 2**64}, [2**64, object()], {2**64}])
def test_what_is_not_json_does_not_leave(value: Any) -> None:
    """Beside a large integer, too; one that `parse` would refuse is not written."""
    with pytest.raises(TypeError):
        json_body.encode(value)


@pytest.mark.parametrize("body", [b"{", b"", b"[1111111111111111111,]", b"[1111111111111111111,NaN]", b"\xff"])
def test_what_cannot_be_read_is_a_value_error(body: bytes) -> None:
    """Not a refusal, which would blame the client."""
    with pytest.raises(ValueError, match=r"."):
        json_body.decode(body)
