"""The patterns mean the same to Python's `re`, which generated clients use, and to an ECMA 262 engine."""

import re
from typing import Any

import jsonschema_rs
import pytest

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
GOOD_TAGS = [
    "*",
    "",
    ",",
    ", ,\t,",
    '""',
    '"1"',
    'W/"1"',
    '"1", "2"',
    '"1","2"',
    '"1" ,W/"2"',
    '"1"\t,\t"2"',
    ',"1"',
    '"1",',
    '"1",, "2" , ',
    '"!#$%&()*+,-./:;<=>?@[\\]^_`{|}~"',
    '"\x80\u00e9\u00ff"',
]
BAD_TAGS = [
    "1",
    '"1',
    '1"',
    '"1" "2"',
    '*, "1"',
    '"1", *',
    "*,",
    '"a b"',
    '"a\tb"',
    '"\x7f"',
    '"\u0100"',
    'w/"1"',
    'W/ "1"',
    "W/",
    '"1"\n',
    "*\n",
    '"1"\r\n,"2"',
    '"1"\u00a0,"2"',
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
    "PageCursor": SCHEMAS["PageCursor"],
}
SAMPLES = [
    *(pytest.param("ItemName", text, True) for text in GOOD_NAMES),
    *(pytest.param("ItemName", text, False) for text in BAD_NAMES),
    *(pytest.param("ItemDescription", text, True) for text in GOOD_DESCRIPTIONS),
    *(pytest.param("ItemDescription", text, False) for text in BAD_DESCRIPTIONS),
    *(pytest.param("EntityTags", text, True) for text in GOOD_TAGS),
    *(pytest.param("EntityTags", text, False) for text in BAD_TAGS),
    *(pytest.param("PageCursor", text, True) for text in GOOD_CURSORS),
    *(pytest.param("PageCursor", text, False) for text in BAD_CURSORS),
    *(pytest.param("Timestamp", text, True) for text in TIMES),
    *(pytest.param("Timestamp", text, False) for text in BAD_TIMES),
]


def _python(schema: dict[str, Any]) -> re.Pattern[str]:
    """Python's `$` also matches before a newline at the end; `$` in a contract does not (ECMA 262)."""
    return re.compile(schema["pattern"].removesuffix("$") + r"\Z")


def _ecma(schema: dict[str, Any]) -> jsonschema_rs.Draft4Validator:
    return jsonschema_rs.Draft4Validator({key: value for key, value in schema.items() if key in ("type", "pattern")})


@pytest.mark.parametrize(("name", "text", "good"), SAMPLES)
def test_both_engines_agree(name: str, text: str, good: bool) -> None:  # noqa: FBT001  # a column of the table
    """And with the table above."""
    schema = PATTERNS[name]
    assert bool(_python(schema).search(text)) is good
    assert _ecma(schema).is_valid(text) is good


def test_the_name_pattern_agrees_on_every_character_that_could_be_special() -> None:
    """Alone, after a letter and before one. All of Unicode's white space, controls and formats are among them."""
    compiled, ecma = _python(PATTERNS["ItemName"]), _ecma(PATTERNS["ItemName"])
    codes = [*range(0x3100), *range(0xD700, 0xD800), *range(0xE000, 0xE100), *range(0xFE00, 0x10100), 0x10FFFF]
    texts = [form.format(chr(code)) for code in codes for form in ("{}", "x{}", "{}x")]
    assert [text for text in texts if bool(compiled.search(text)) is not ecma.is_valid(text)] == []


@pytest.mark.parametrize("text", [*GOOD_NAMES])
def test_a_valid_name_is_stored_unchanged(client: ContractClient, text: str) -> None:
    """In the response, in the database and in the filter."""
    item = client.create(text)
    assert item["name"] == text
    assert client.get("/items/1").json() == item
    assert client.get("/items", params={"name": text}).json() == [item]


@pytest.mark.parametrize("text", ["\u3000", "\u00a0", "\u0085", "\ufeff", " \u2003 ", "x\n", "x\0", "\x7f", "\t"])
def test_an_invalid_name_is_400_with_the_description_of_the_pattern(client: ContractClient, text: str) -> None:
    """In the body and in the query."""
    assert_violations(client.post("/items", json={"name": text}), {"pointer": "/name", "detail": NAME_RULE})
    assert_violations(client.get("/items", params={"name": text}), {"parameter": "name", "detail": NAME_RULE})
