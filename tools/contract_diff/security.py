"""Which credentials an operation asks for, and whether those that were enough still are."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tools.contract_diff.changes import Change
from tools.contract_diff.documents import Node, same_value

_SAME = ("type", "in", "name", "scheme", "openIdConnectUrl")
"""What a client has to know. `bearerFormat` is a hint, and scopes count where an operation requires them."""
_URLS = ("authorizationUrl", "tokenUrl", "refreshUrl")


class _Credentials(NamedTuple):
    """One way to be let in: schemes, and the scopes of each."""

    scopes: Mapping[str, frozenset[str]]
    schemes: Node

    def __str__(self) -> str:
        parts = [f"{name} ({', '.join(sorted(scopes))})" if scopes else name for name, scopes in self.scopes.items()]
        return " + ".join(parts) or "none"

    def are_enough_for(self, other: "_Credentials") -> bool:
        """Whether someone with these is let in where `other` is asked for."""
        return all(
            name in self.scopes and scopes <= self.scopes[name] and _takes(other.schemes[name], self.schemes[name])
            for name, scopes in other.scopes.items()
        )


def security_changes(where: str, was: Node, now: Node) -> Iterator[Change]:
    """Compare what two operations ask for. A contract's own `security` is for the operations that have none."""
    sides = [side["security"] if side["security"].exists else side.contract.root["security"] for side in (was, now)]
    before, after = (_alternatives(side) for side in sides)
    forwards, backwards = _all_let_in(before, after), _all_let_in(after, before)
    if forwards and backwards:
        return
    shown = [" or ".join(dict.fromkeys(map(str, side))) for side in (before, after)]
    text = f"security was {shown[0]}, is {shown[1]}" if shown[0] != shown[1] else f"the scheme of {shown[1]} is another"
    yield Change(not forwards, where, text, sides[1].position if sides[1].exists else sides[0].position)


def _all_let_in(these: list[_Credentials], asked: list[_Credentials]) -> bool:
    return all(any(one.are_enough_for(other) for other in asked) for one in these)


def _alternatives(security: Node) -> list[_Credentials]:
    """Each way to authenticate; no requirement is the same as one that needs nothing."""
    schemes = security.contract.root["components"]["securitySchemes"]
    found = []
    for requirement in security.elements():
        items = requirement.items()
        scopes = {name: frozenset(scope.text() for scope in node.elements()) for name, node in items.items()}
        found.append(_Credentials(scopes, schemes))
    return found or [_Credentials({}, schemes)]


def _takes(now: Node, was: Node) -> bool:
    """Whether what a client has for a scheme as it was still works: each flow that it may use is still there."""
    if not all(same_value(was[key].value, now[key].value) for key in _SAME):
        return False
    before, after = was["flows"].items(), now["flows"].items()
    return all(flow in after and _is_same_flow(before[flow], after[flow]) for flow in before)


def _is_same_flow(was: Node, now: Node) -> bool:
    return all(not was[key].exists or same_value(was[key].value, now[key].value) for key in _URLS)
