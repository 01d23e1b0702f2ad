"""How two contracts differ: operations, with their parameters, bodies, responses and callbacks."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from tools.contract_diff.changes import (
    Change,
    content_changes,
    lost_and_new,
    only,
    required_changes,
    schema_changes,
    shared,
)
from tools.contract_diff.documents import Contract, Node, same_value
from tools.contract_diff.limits import contract_limit_changes, operation_limit_changes
from tools.contract_diff.responses import response_changes
from tools.contract_diff.retirement import removal, retirement_changes
from tools.contract_diff.schema import Schema
from tools.contract_diff.security import security_changes

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_STYLES = {"query": "form", "cookie": "form"}
_WITH_PARTS = {"array", "object"}


class Operation(NamedTuple):
    """An operation and its path item."""

    name: str
    node: Node
    item: Node


def changes(old: Contract, new: Contract, now: datetime | None = None) -> list[Change]:
    """Every change from `old` to `new`, those that break clients first. Operations may be removed after their date."""
    found = _changes(old.root, new.root, now or datetime.now(UTC))
    return sorted(dict.fromkeys(found), key=lambda change: not change.breaks)


def _changes(was: Node, now: Node, time: datetime) -> Iterator[Change]:
    yield from lost_and_new("the contract", "server", _servers(was), _servers(now))
    yield from contract_limit_changes(was, now)
    yield from _paths("", was["paths"], now["paths"], time)


def _servers(*nodes: Node) -> dict[str, Node]:
    """The servers of the first node that has any, by URL; without any there is one, `/`."""
    for node in nodes:
        if servers := {server["url"].text(): server for server in node["servers"].elements()}:
            return servers
    return {"/": nodes[-1]}


def _paths(prefix: str, was: Node, now: Node, time: datetime | None) -> Iterator[Change]:
    """Compare the operations of two `paths`, or of two callbacks: these have no time."""
    before, after = (_operations(prefix, side) for side in (was, now))
    for key in only(before, after):
        if time is None:
            yield Change(breaks=True, where=before[key].name, text="is gone", position=before[key].node.position)
        else:
            yield removal(before[key].name, before[key].node, time)
    for key in only(after, before):
        yield Change(breaks=False, where=after[key].name, text="is new", position=after[key].node.position)
    for key in shared(before, after):
        yield from _operation(before[key], after[key], is_callback=time is None)


def _operations(prefix: str, paths: Node) -> dict[str, Operation]:
    """By method, and path without the names of its parameters."""
    found = {}
    for path, item in paths.items().items():
        for method in METHODS:
            if item[method].exists:
                key = f"{method} {re.sub(r'{[^}]*}', '{}', path)}"
                found[key] = Operation(f"{prefix}{method.upper()} {path}", item[method], item)
    return found


def _operation(was: Operation, now: Operation, *, is_callback: bool) -> Iterator[Change]:
    where, before, after = was.name, was.node, now.node
    yield from _names(where, before, after)
    yield from retirement_changes(where, before, after)
    if not is_callback:
        yield from security_changes(where, before, after)
        yield from operation_limit_changes(where, before, after)
        roots = before.contract.root, after.contract.root
        if any(node["servers"].elements() for node in (before, was.item, after, now.item)):
            servers = _servers(before, was.item, roots[0]), _servers(after, now.item, roots[1])
            yield from lost_and_new(where, "server", *servers)
    yield from _parameters(where, _declared(was), _declared(now), is_sent=not is_callback)
    yield from _body(where, before, after, is_sent=not is_callback)
    yield from response_changes(where, before["responses"], after["responses"], is_sent=is_callback)
    if not is_callback:
        yield from _callbacks(where, before["callbacks"].items(), after["callbacks"].items())


def _names(where: str, was: Node, now: Node) -> Iterator[Change]:
    """Generators call their functions and modules so."""
    for keyword in ("operationId", "tags"):
        before, after = was[keyword], now[keyword]
        if not same_value(before.value, after.value):
            text = f"{keyword} was {before.value}, is {after.value}"
            yield Change(breaks=True, where=where, text=text, position=(after if after.exists else before).position)


def _callbacks(where: str, was: dict[str, Node], now: dict[str, Node]) -> Iterator[Change]:
    """The service is the client of a callback: what an operation receives, the callback sends."""
    yield from lost_and_new(where, "callback", was, now)
    for name in shared(was, now):
        yield from _paths(f"{where}, callback {name} ", was[name], now[name], None)


def _declared(operation: Operation) -> dict[str, Node]:
    """The parameters by location and name; an operation's replaces the path's."""
    found = {}
    for owner in (operation.item, operation.node):
        for parameter in owner["parameters"].elements():
            location, name = parameter["in"].text(), parameter["name"].text()
            found[f"{location} parameter {name.lower() if location == 'header' else name}"] = parameter
    return found


def _parameters(where: str, was: dict[str, Node], now: dict[str, Node], *, is_sent: bool) -> Iterator[Change]:
    for name in only(was, now):
        yield Change(breaks=True, where=f"{where}, {name}", text="is gone", position=was[name].position)
    for name, parameter in now.items():
        at = f"{where}, {name}"
        if name in was:
            yield from _parameter(at, was[name], parameter, is_sent=is_sent)
        else:
            yield _new(at, parameter, is_sent=is_sent)


def _new(where: str, node: Node, *, is_sent: bool) -> Change:
    required = node["required"].is_true
    return Change(required and is_sent, where, f"is new and {'required' if required else 'optional'}", node.position)


def _parameter(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    yield from required_changes(where, was, now, is_sent=is_sent)
    forms = _form(was), _form(now)
    if forms[0] != forms[1]:
        yield Change(breaks=True, where=where, text="is written in another form", position=now.position)
        if ("content",) in forms:
            return
    for keyword in ("allowReserved", "allowEmptyValue"):
        allowed = was[keyword].is_true, now[keyword].is_true
        if allowed[0] != allowed[1]:
            position = (now if now[keyword].exists else was)[keyword].position
            yield Change(allowed[0] == is_sent, where, f"{keyword} was {allowed[0]}, is {allowed[1]}", position)
    yield from schema_changes(where, was, now, is_sent=is_sent)
    yield from content_changes(where, was, now, is_sent=is_sent)


def _form(parameter: Node) -> tuple[object, ...]:
    """How a value is written. For one that has no parts, `explode` changes nothing."""
    if parameter["content"].items():
        return ("content",)
    style = parameter["style"].text(_STYLES.get(parameter["in"].text(), "simple"))
    explode = parameter["explode"].is_true if parameter["explode"].exists else style == "form"
    has_parts = Schema.of(parameter["schema"]).types() & _WITH_PARTS
    return style, explode and bool(has_parts)


def _body(where: str, was: Node, now: Node, *, is_sent: bool) -> Iterator[Change]:
    before, after = was["requestBody"], now["requestBody"]
    at = f"{where}, request body"
    if before.exists and after.exists:
        yield from required_changes(at, before, after, is_sent=is_sent)
        yield from content_changes(at, before, after, is_sent=is_sent)
    elif after.exists:
        yield _new(at, after, is_sent=is_sent)
    elif before.exists:
        yield Change(breaks=True, where=at, text="is gone", position=before.position)
