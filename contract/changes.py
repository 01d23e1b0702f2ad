"""What changed between two versions of a contract, and which changes break clients that were made for the old one.

`python -m contract.changes BASE FILE` compares FILE with itself as it was at BASE (any name that Git knows). It fails
if a change breaks clients and `info.version` has not taken a step in its first number (https://semver.org). A client
sends what the old contract allows and copes with what the old contract announces; it may come from a generator, so the
names of operations, tags, parameters and models count. Texts, examples and links do not.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml

from contract.narrowing import Comparison, Difference, Kind
from contract.routes import METHODS
from contract.schemas import resolve

Node = Mapping[str, Any]
Key = TypeVar("Key")
REQUEST_BREAKS = {Kind.NARROWER, Kind.OTHER, Kind.LOST_MEMBER, Kind.DEFAULT, Kind.NAME}
RESPONSE_BREAKS = {Kind.WIDER, Kind.OTHER, Kind.LOST_MEMBER, Kind.NAME}
"""What breaks clients in what they send and in what they get. A new member of an answer does not: it is passed over."""
_STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple"}


class Change(NamedTuple):
    """One change: whether it breaks clients, the operation and the part of it, and what it is."""

    breaks: bool
    where: str
    text: str

    def __str__(self) -> str:
        return f"{'breaking' if self.breaks else 'compatible':11} {self.where}: {self.text}"


class GitError(Exception):
    """There is no such version of the file."""


def changes(old: Node, new: Node) -> list[Change]:
    """Every change from `old` to `new`, those that break clients first."""
    return sorted(dict.fromkeys(_Contracts(old, new).changes()), key=lambda change: not change.breaks)


def asks_for_major(found: list[Change], old: str, new: str) -> bool:
    """Whether these changes from version `old` to `new` break clients, and the version's first number hides it."""
    return any(change.breaks for change in found) and _major(new) <= _major(old)


class _Contracts:
    """Both versions of a contract."""

    def __init__(self, old: Node, new: Node) -> None:
        self.old, self.new = old, new
        self.requests = Comparison(old, new, response=False)
        self.responses = Comparison(old, new, response=True)

    def changes(self) -> Iterator[Change]:
        was, now = _operations(self.old), _operations(self.new)
        yield from _lost_and_new(
            "the contract", "server", *({s["url"]: s for s in d.get("servers", ())} for d in self._both)
        )
        limits = [document.get("x-body-limit", float("inf")) for document in self._both]
        if limits[0] != limits[1]:
            yield Change(limits[1] < limits[0], "the contract", f"x-body-limit was {limits[0]}, is {limits[1]}")
        for key in _only(was, now):
            yield Change(breaks=True, where=was[key].name, text="is gone")
        for key in _only(now, was):
            yield Change(breaks=False, where=now[key].name, text="is new")
        for key in _shared(was, now):
            yield from self._operation(was[key], now[key])

    @property
    def _both(self) -> tuple[Node, Node]:
        return self.old, self.new

    def _operation(self, was: "_Operation", now: "_Operation") -> Iterator[Change]:
        where, before, after = was.name, was.definition, now.definition
        for keyword in ("operationId", "tags"):  # SDKs call their functions and modules so
            if before.get(keyword) != after.get(keyword):
                text = f"{keyword} was {before.get(keyword)}, is {after.get(keyword)}"
                yield Change(breaks=True, where=where, text=text)
        if after.get("deprecated") and not before.get("deprecated"):
            yield Change(breaks=False, where=where, text="is deprecated")
        if before.get("callbacks") != after.get("callbacks"):
            yield Change(breaks=True, where=where, text="callbacks are others")
        yield from self._security(where, before, after)
        yield from self._parameters(where, was.parameters, now.parameters)
        yield from self._body(where, before, after)
        yield from self._answers(where, before["responses"], after["responses"])

    def _security(self, where: str, before: Node, after: Node) -> Iterator[Change]:
        was, now = (
            _alternatives(definition.get("security", document.get("security", [])), document)
            for definition, document in ((before, self.old), (after, self.new))
        )
        if was != now:
            breaks = any(not any(enough <= credentials for enough in now) for credentials in was)
            yield Change(breaks, where, "asks for other credentials" if breaks else "takes other credentials too")

    def _parameters(self, where: str, was: dict[str, Node], now: dict[str, Node]) -> Iterator[Change]:
        for name in _only(was, now):
            yield Change(breaks=True, where=f"{where}, {name}", text="is gone")
        for name, parameter in now.items():
            at, required = f"{where}, {name}", bool(parameter.get("required"))
            if name not in was:
                yield Change(required, at, f"is new and {'required' if required else 'optional'}")
                continue
            if required != bool(was[name].get("required")):
                yield Change(required, at, "is required" if required else "is no longer required")
            if _form(was[name]) != _form(parameter):
                yield Change(breaks=True, where=at, text="is written in another form")
            yield from self._schemas(at, was[name], parameter, is_answer=False)

    def _body(self, where: str, before: Node, after: Node) -> Iterator[Change]:
        was, now = (resolve(d, o.get("requestBody")) for d, o in ((self.old, before), (self.new, after)))
        at = f"{where}, body"
        if was is None or now is None:
            if now is not None:
                required = bool(now.get("required"))
                yield Change(required, at, f"is new and {'required' if required else 'optional'}")
            elif was is not None:
                yield Change(breaks=True, where=at, text="is gone")
            return
        if bool(was.get("required")) != bool(now.get("required")):
            required = bool(now.get("required"))
            yield Change(required, at, "is required" if required else "is no longer required")
        yield from self._contents(at, was, now, is_answer=False)

    def _answers(self, where: str, before: Node, after: Node) -> Iterator[Change]:
        for status in sorted({**before, **after}):
            at = f"{where}, {status}"
            if status not in after:
                yield Change(breaks=True, where=at, text="is gone")
            elif status not in before:
                yield Change(_is_news(status), at, "is new")
            else:
                was, now = resolve(self.old, before[status]), resolve(self.new, after[status])
                yield from self._headers(at, was, now)
                yield from self._contents(at, was, now, is_answer=True)

    def _headers(self, where: str, before: Node, after: Node) -> Iterator[Change]:
        was, now = (
            {name.lower(): resolve(document, header) for name, header in response.get("headers", {}).items()}
            for document, response in ((self.old, before), (self.new, after))
        )
        yield from _lost_and_new(where, "header", was, now)
        for name in _shared(was, now):
            at = f"{where}, header {name}"
            if bool(was[name].get("required")) != bool(now[name].get("required")):
                required = bool(now[name].get("required"))
                yield Change(not required, at, "is always there" if required else "is not always there")
            yield from self._schemas(at, was[name], now[name], is_answer=True)

    def _contents(self, where: str, before: Node, after: Node, *, is_answer: bool) -> Iterator[Change]:
        was, now = before.get("content", {}), after.get("content", {})
        yield from _lost_and_new(where, "media type", was, now)
        for media_type in _shared(was, now):
            at = where if len(was) == len(now) == 1 else f"{where} {media_type}"
            yield from self._schemas(at, was[media_type], now[media_type], is_answer=is_answer)

    def _schemas(self, where: str, before: Node, after: Node, *, is_answer: bool) -> Iterator[Change]:
        comparison = self.responses if is_answer else self.requests
        for difference in comparison.differences(before.get("schema", {}), after.get("schema", {})):
            yield _judged(where, difference, is_answer=is_answer)


class _Operation(NamedTuple):
    name: str
    definition: Node
    parameters: dict[str, Node]
    """By place and name; those of the path are among them."""


def _operations(document: Node) -> dict[tuple[str, str], _Operation]:
    """By method, and path without the names of its parameters."""
    found = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            declared = [*item.get("parameters", ()), *item[method].get("parameters", ())]
            parameters = {}
            for parameter in (resolve(document, reference) for reference in declared):
                name = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
                parameters[f"{parameter['in']} {name}"] = parameter
            key = method, re.sub(r"\{[^}]*\}", "{}", path)
            found[key] = _Operation(f"{method.upper()} {path}", item[method], parameters)
    return found


def _alternatives(requirements: list[Node], document: Node) -> set[frozenset[str]]:
    """Each way to authenticate, as what it needs; nothing at all is a way, too."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    return {
        frozenset(
            need
            for name, scopes in requirement.items()
            for need in (f"{name} {_without_text(resolve(document, schemes[name]))}", *(f"{name} {s}" for s in scopes))
        )
        for requirement in requirements or [{}]
    }


def _without_text(scheme: Node) -> str:
    return str({key: value for key, value in sorted(scheme.items()) if key != "description"})


def _form(parameter: Node) -> tuple[Any, ...]:
    style = parameter.get("style", _STYLES[parameter["in"]])
    explode = parameter.get("explode", style == "form")
    return style, explode, bool(parameter.get("allowReserved")), sorted(parameter.get("content", {}))


def _lost_and_new(where: str, what: str, was: Node, now: Node) -> Iterator[Change]:
    for name in _only(was, now):
        yield Change(breaks=True, where=where, text=f"{what} {name} is gone")
    for name in _only(now, was):
        yield Change(breaks=False, where=where, text=f"{what} {name} is new")


def _only(one: Mapping[Key, Any], other: Mapping[Key, Any]) -> list[Key]:
    return [key for key in one if key not in other]


def _shared(one: Mapping[Key, Any], other: Mapping[Key, Any]) -> list[Key]:
    return [key for key in one if key in other]


def _is_news(status: str) -> bool:
    """Errors are known by their first digit (RFC 9110 §15), and 304 is for those who asked for it (§15.4.5)."""
    return status[0] not in "45" and status != "304"


def _judged(where: str, difference: Difference, *, is_answer: bool) -> Change:
    place = f"{where}, {difference.place}" if difference.place else where
    return Change(difference.kind in (RESPONSE_BREAKS if is_answer else REQUEST_BREAKS), place, difference.text)


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def at(base: str, file: Path) -> bytes:
    """The file as it was at `base`; raises `GitError`."""
    command = ["git", "-C", str(file.parent), "show", "--end-of-options", f"{base}:./{file.name}"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 -- Git, and no shell
    if done.returncode:
        raise GitError(done.stderr.decode(errors="replace").strip())
    return done.stdout


def main(base: str, name: str) -> int:
    """Print the changes; 1 if clients break and the version does not say so, 2 if there is nothing to compare with."""
    try:
        old = yaml.safe_load(at(base, Path(name)))
    except GitError as error:
        print(f"{name} cannot be compared with {base}: {error}", file=sys.stderr)
        return 2
    new = yaml.safe_load(Path(name).read_bytes())
    found, versions = changes(old, new), (old["info"]["version"], new["info"]["version"])
    print(*found, sep="\n", end="\n" if found else "")
    breaking = sum(change.breaks for change in found)
    print(f"{name}: {len(found)} changes since {base} ({versions[0]}, now {versions[1]}), {breaking} of them breaking.")
    if asks_for_major(found, *versions):
        print(f"A change that breaks clients asks for info.version {_major(versions[0]) + 1}.0.0.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
