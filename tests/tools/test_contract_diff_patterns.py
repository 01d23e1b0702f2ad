"""Which patterns include which: decided for regular languages, and never claimed otherwise."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.contract_diff.patterns import includes

TAGS = r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$'
MORE_TAGS = r'^(\*|((W/)?"[!#-~\u0080-\u00FF]*"[ \t]*)?(,[ \t]*((W/)?"[!#-~\u0080-\u00FF]*"[ \t]*)?)*)$'


@pytest.mark.parametrize(
    ("wider", "narrower"),
    [
        (".*", "^a"),
        ("", "^a$"),
        ("^a", "^ab"),
        ("a", "^ab"),
        ("^[a-z]{1,5}$", "^[a-c]{2,3}$"),
        ("^[a-z]{1,}$", "^[a-c]{2}$"),
        (r"^\d+$", "^[0-9]{1,80}$"),
        (r"^\w$", r"^\d$"),
        (r"^\S$", r"^\w$"),
        ("^[^b]*$", "^a+$"),
        ("^(a|b)*?$", "^(?:a*b*){0,3}$"),
        ("^a$|^b", "^bc$"),
        (r"^[\x41-\u005a]$", "^(?<letter>[A-C])$"),
        (r"^[.,]$", r"^\.$"),
        (MORE_TAGS, TAGS),
    ],
)
def test_what_is_wider(wider: str, narrower: str) -> None:
    """The wider one matches all that the narrower one does, and more."""
    assert includes(wider, narrower)
    assert not includes(narrower, wider)


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?<!a)b", r"(a)\1", r"\bword", "(", "[a", "a{", "*", "a^b", r"\p{L}"])
def test_what_is_not_understood_includes_nothing_else(pattern: str) -> None:
    """Not even when it does."""
    assert includes(pattern, pattern)
    assert not includes("^a$", pattern)
    assert not includes(pattern, "^a$")


def test_a_question_that_takes_too_long_is_given_up() -> None:
    """Rather than that the command hangs."""
    assert not includes("^(a{0,50}){0,50}b$", "^(a{0,49}){0,50}b$")
    assert not includes("^" + "(" * 2000 + "a" + ")" * 2000 + "$", "^b$")


PIECES = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\n"]),
    lambda inner: (
        st.builds("({}|{})".format, inner, inner)
        | st.builds("{}{}".format, inner, inner)
        | st.builds("({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}"]))
    ),
    max_leaves=6,
)
PATTERNS = st.builds("{}{}{}".format, st.sampled_from(["", "^"]), PIECES, st.sampled_from(["", "$"]))


@given(PATTERNS, PATTERNS, st.lists(st.text("abc\n", max_size=5), max_size=20))
@settings(max_examples=300, derandomize=True, deadline=None, database=None)
def test_no_text_contradicts_what_is_said(one: str, other: str, texts: list[str]) -> None:
    """By Python's own regular expressions, with `$` as ECMA 262 has it."""
    expressions = [re.compile(pattern.replace("$", r"\Z")) for pattern in (one, other)]
    said = includes(one, other)
    for text in texts:
        assert not (said and expressions[1].search(text) and not expressions[0].search(text))
