"""The patterns mean one thing: Python's `re`, as the service uses it, and an ECMA 262 engine agree on every sample."""

import re
from typing import Any

import jsonschema_rs
import pytest
from contract.stock import _RequestValidator, violations_of

from tests.support import ContractClient, assert_violations, specification

SCHEMAS = specification()["components"]["schemas"]
NAME_RULE = SCHEMAS["ItemName"]["x-pattern-description"]
WHITE_SPACE = " \u0085\u00a0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
CONTROLS = [chr(code) for code in (*range(0x20), 0x7F)]
GOOD_NAMES = [
    "x",
    "Desk lamp",
    " leading and trailing ",
    "\u3000wide\u3000",
    "\ufeffbom",
    "0",
    "-",
    "e\u0301 combining",
    "\u0301",
    "👩‍👩‍👧‍👦",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "\U0010ffff",
    "مرحبا",
    "שלום",
    "日本語",
    "<script>alert(1)</script>",
    "'; DROP TABLE items; --",
    '"quoted" \\ back',
    "%00 %s {0} $1",
    "x" * 80,
    "𝔘" * 80,
    " " * 79 + "x",
]
BAD_NAMES = [
    *WHITE_SPACE,
    WHITE_SPACE,
    " " * 80,
    *CONTROLS,
    *(f"x{control}" for control in CONTROLS),
    *(f"{control}x" for control in CONTROLS),
    "x\n",
    "\nx",
    "x\r\n",
    "two\nlines",
    "tab\there",
    " \n",
]
BAD_DESCRIPTIONS = ["\0", "a\0b", "a\0", "\0a", "a\n\0"]
GOOD_DESCRIPTIONS = ["", " ", "\n", "two\nlines\n", "tab\t", "\x7f", "\u3000", "👩‍👩‍👧‍👦", "x" * 200, "𝔘" * 200]
GOOD_TAGS = ["*", '""', '"1"', 'W/"1"', '"1", "2"', '"1","2"', '"1" ,W/"2"', '"!#$%&()*+,-./:;<=>?@[\\]^_`{|}~"']
BAD_TAGS = [
    "1",
    '"1',
    '1"',
    '"1",',
    ',"1"',
    '"1" "2"',
    '*, "1"',
    '"a b"',
    '"é"',
    'w/"1"',
    '"1"\n',
    '"1"\t,"2"',
    "**",
    "W/*",
]
GOOD_CURSORS = ["a", "A-_9", "x" * 1024]
BAD_CURSORS = ["a=", "a b", "a\n", "é", "a+b", "a/b", "a.b"]
TIMES = ["2026-11-23T09:30:00.000000Z"]
BAD_TIMES = [
    "2026-11-23T09:30:00.000000Z\n",
    "2026-11-23T09:30:00Z",
    "２026-11-23T09:30:00.000000Z",
    "2026-11-23 09:30:00.000000Z",
]

PATTERNS = {
    "ItemName": SCHEMAS["ItemName"],
    "ItemDescription": SCHEMAS["ItemDescription"],
    "EntityTags": SCHEMAS["EntityTags"],
    "Timestamp": {key: SCHEMAS["Timestamp"][key] for key in ("type", "pattern")},
    "Cursor": SCHEMAS["Cursor"],
}
SAMPLES = [
    *(pytest.param("ItemName", text, True) for text in GOOD_NAMES),
    *(pytest.param("ItemName", text, False) for text in BAD_NAMES),
    *(pytest.param("ItemDescription", text, True) for text in GOOD_DESCRIPTIONS),
    *(pytest.param("ItemDescription", text, False) for text in BAD_DESCRIPTIONS),
    *(pytest.param("EntityTags", text, True) for text in GOOD_TAGS),
    *(pytest.param("EntityTags", text, False) for text in BAD_TAGS),
    *(pytest.param("Cursor", text, True) for text in GOOD_CURSORS),
    *(pytest.param("Cursor", text, False) for text in BAD_CURSORS),
    *(pytest.param("Timestamp", text, True) for text in TIMES),
    *(pytest.param("Timestamp", text, False) for text in BAD_TIMES),
]


def _ecma(schema: dict[str, Any]) -> jsonschema_rs.Draft4Validator:
    return jsonschema_rs.Draft4Validator({key: value for key, value in schema.items() if key in ("type", "pattern")})


@pytest.mark.parametrize(("name", "text", "good"), SAMPLES)
def test_both_engines_agree(name: str, text: str, good: bool) -> None:  # noqa: FBT001  # a column of the table
    """And with the table above."""
    schema = PATTERNS[name]
    only_pattern = {key: schema[key] for key in ("type", "pattern")}
    assert (not list(violations_of(_RequestValidator, only_pattern, text))) is good
    assert _ecma(schema).is_valid(text) is good


def test_the_name_pattern_agrees_on_every_character_that_could_be_special() -> None:
    """Alone, behind a letter and before one: all of Unicode's white space, controls and formats are among them."""
    schema = {key: PATTERNS["ItemName"][key] for key in ("type", "pattern")}
    compiled, ecma = re.compile(schema["pattern"].removesuffix("$") + r"\Z"), _ecma(schema)
    codes = [*range(0x3100), *range(0xD700, 0xD800), *range(0xE000, 0xE100), *range(0xFE00, 0x10100), 0x10FFFF]
    texts = [form.format(chr(code)) for code in codes for form in ("{}", "x{}", "{}x")]
    assert [text for text in texts if bool(compiled.search(text)) is not ecma.is_valid(text)] == []


@pytest.mark.parametrize("text", [*GOOD_NAMES])
def test_a_good_name_is_kept_as_it_was_sent(client: ContractClient, text: str) -> None:
    """Code point by code point, in the answer, in the database and in the filter."""
    item = client.create(text)
    assert item["name"] == text
    assert client.get("/items/1").json() == item
    assert client.get("/items", params={"name": text}).json() == [item]


@pytest.mark.parametrize("text", ["\u3000", "\u00a0", "\u0085", "\ufeff", " \u2003 ", "x\n", "x\0", "\x7f", "\t"])
def test_a_bad_name_is_refused_with_the_rule_in_words(client: ContractClient, text: str) -> None:
    """In the body and in the query alike."""
    assert_violations(client.post("/items", json={"name": text}), {"pointer": "/name", "detail": NAME_RULE})
    assert_violations(client.get("/items", params={"name": text}), {"parameter": "name", "detail": NAME_RULE})
