"""How the responses of an operation differ: statuses, headers and media types."""

from collections.abc import Iterator, Mapping

from tools.contract_diff.changes import (
    Change,
    content_changes,
    lost_and_new,
    only,
    required_changes,
    schema_changes,
    shared,
)
from tools.contract_diff.documents import Node


def response_changes(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    """Compare two `responses`; `is_sent` says that the client sends them, as for callbacks."""
    before, after = was.items(), now.items()
    folded = dict[str, list[str]]()
    for status in [*before, *only(after, before)]:
        at = f"{where}, response {status}"
        if status in before and status in after:
            yield from _response(at, before[status], after[status], is_sent=is_sent)
        elif status in before:
            cover = _covering(status, after)
            if cover is None:
                yield Change(breaks=True, where=at, text="is gone", position=before[status].position)
            else:
                folded.setdefault(cover, []).append(status)
                yield from _folded(f"{at} (now {cover})", before[status], after[cover], is_sent=is_sent)
        else:
            cover = _covering(status, before)
            if status in folded:
                continue
            breaks = cover is None and not is_sent and _is_news(status)
            yield Change(breaks, at, "is new", after[status].position)
            if cover is not None:
                yield from _response(at, before[cover], after[status], is_sent=is_sent)
    for cover, statuses in folded.items():
        text = f"{', '.join(statuses)} {'are' if len(statuses) > 1 else 'is'} covered by {cover} now"
        yield Change(breaks=False, where=f"{where}, responses", text=text, position=after[cover].position)


def _covering(status: str, others: Mapping[str, Node]) -> str | None:
    """Which response stands for a status that is not listed: that of its class, or `default`.

    `default` is for errors. It stands for successes, too, if no success is listed at all.
    """
    of_class = f"{status[:1]}XX"
    if of_class in others and status != "default":
        return of_class
    is_error = status[:1] in ("4", "5")
    has_success = any(other.startswith("2") for other in others)
    return "default" if "default" in others and (is_error or not has_success) else None


def _is_news(status: str) -> bool:
    """Errors are known by their first digit (RFC 9110 §15), and 304 is for those who asked for it (§15.4.5)."""
    return status[:1] in ("1", "2", "3") and status != "304"


def _response(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    yield from _headers(where, _lower(was), _lower(now), is_sent=is_sent)
    yield from content_changes(where, was, now, is_sent=is_sent)


def _folded(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    """Compare a status with the response that stands for it now, and for others: a header of some of them is optional.

    A header that was required may be optional there, but it must be there.
    """
    before, after = _lower(was), _lower(now)
    kept = {name: header for name, header in before.items() if name in after or header["required"].is_true}
    yield from lost_and_new(where, "header", kept, dict.fromkeys(shared(kept, after), now))
    for name in shared(kept, after):
        yield from _value(f"{where} header {name}", before[name], after[name], is_sent=is_sent)
    yield from content_changes(where, was, now, is_sent=is_sent)


def _headers(where: str, was: dict[str, Node], now: dict[str, Node], *, is_sent: bool) -> Iterator[Change]:
    yield from lost_and_new(where, "header", was, now)
    for name in shared(was, now):
        at = f"{where} header {name}"
        yield from required_changes(at, was[name], now[name], is_sent=is_sent)
        yield from _value(at, was[name], now[name], is_sent=is_sent)


def _value(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    yield from schema_changes(where, was, now, is_sent=is_sent)
    yield from content_changes(where, was, now, is_sent=is_sent)


def _lower(response: Node) -> dict[str, Node]:
    """The headers by their names, in which case does not matter."""
    return {name.lower(): header for name, header in response["headers"].items().items()}
