"""Media types: `Accept` excludes what it names with q=0 or does not name; `Content-Type` is read whatever its case."""

import pytest

from contract import media_types
from contract.media_types import accepts, parse_content_type, prefers

JSON = ("application/json",)


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "APPLICATION/JSON",
        "*/*",
        "application/*",
        "text/html, application/json",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json;q=0.001",
        "application/json; q=1.0",
        "application/json ; Q=0.5",
        "application/json;charset=utf-8",
        "application/json;q=1, */*;q=0",
        "application/*, */*;q=0",
        "text/html;q=0, */*",
        "application/json;q=high",
        ",, application/json ,",
        "",
        " , ",
        '*/*;note="a"',
        "*/*;q=0, application/json",
    ],
)
def test_json_can_be_sent(accept: str) -> None:
    """RFC 9110 §12.5.1: named, or in a range, and not with q=0."""
    assert accepts(accept, JSON)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "text/*",
        "application/problem+json",
        "application/jsonx",
        "application",
        "json",
        "*/json",
        "garbage",
        "application/json;q=0",
        "application/json;q=0.000",
        "application/json;q=0, */*",
        "application/json; q=0, application/*",
        "application/*;q=0, */*",
        "*/*;q=0",
        "*",
        ";q=1",
    ],
)
def test_json_cannot_be_sent(accept: str) -> None:
    """The most specific range decides, wherever it stands."""
    assert not accepts(accept, JSON)


def test_one_of_several_is_enough() -> None:
    """Whichever of them."""
    assert accepts("text/csv", ("application/json", "text/csv"))


@pytest.mark.parametrize("accept", ["application/json;q=nan", "application/json;q=-1"])
def test_a_quality_that_is_no_number_from_0_to_1_does_not_break(accept: str) -> None:
    """Either response is right (RFC 9110 §12.4.2 has no such value); an exception is not."""
    assert accepts(accept, JSON) in (True, False)


@pytest.mark.parametrize(
    ("header", "name", "charset"),
    [
        ("application/json", "application/json", None),
        ("Application/JSON", "application/json", None),
        ("application/json; charset=utf-8", "application/json", "utf-8"),
        ("application/json;charset=UTF-8", "application/json", "utf-8"),
        ('application/json; charset="utf-8"', "application/json", "utf-8"),
        ("application/json ; Charset=Latin-1", "application/json", "latin-1"),
        ("application/json; profile=x; charset=utf-16", "application/json", "utf-16"),
        ("application/json; profile=x", "application/json", None),
        ("application/json;", "application/json", None),
        ("application/merge-patch+json", "application/merge-patch+json", None),
        ("", "", None),
        ("json", "json", None),
        ("; charset=utf-8", "", "utf-8"),
    ],
)
def test_a_content_type_is_a_name_and_perhaps_a_charset(header: str, name: str, charset: str | None) -> None:
    """RFC 9110 §8.3.1: both without case."""
    assert parse_content_type(header) == (name, charset)


@pytest.mark.parametrize(
    "header", ["é/ü", "application/json; charset*=utf-8''x", "application/json; =", "a/b; charset=", '"', "\x7f"]
)
def test_no_content_type_breaks_the_reader(header: str) -> None:
    """Whatever it is, it has a name and is not UTF-8 JSON."""
    name, charset = parse_content_type(header)
    assert (name, charset) != ("application/json", "utf-8")


@pytest.mark.parametrize(
    ("accept", "html_is_preferred"),
    [
        ("text/html", True),
        ("text/*, application/json;q=0.9", True),
        ("*/*;q=0.1, text/html;q=0.2", True),
        ("text/html;q=0.2, */*", False),
        ("text/html, application/json", False),
        ("", False),
        ("*/*", False),
        ("image/png", False),
    ],
)
def test_a_media_type_is_preferred(accept: str, html_is_preferred: bool) -> None:  # noqa: FBT001 -- a case
    """If its quality is higher; the most specific range decides."""
    assert prefers(accept, "text/html", "application/json") is html_is_preferred


def test_only_ranges_that_matter_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 KiB have more than a thousand others, and each would take a microsecond."""
    read: list[str] = []

    def weight(part: str) -> float:
        read.append(part)
        return 1.0

    monkeypatch.setattr(media_types, "_weight", weight)
    parts = [*(f"a{number}/*" for number in range(1200)), "text/*;q=1"]
    assert prefers(",".join(parts), "text/html", "application/json")
    assert read == parts[-1:]
