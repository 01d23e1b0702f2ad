"""The bounds of numbers, in the forms that OpenAPI 3.0 and later JSON Schema have for them."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from tools.contract_diff.documents import Node


class Bound(NamedTuple):
    """The least number that is allowed, or the greatest with its sign changed; and whether it is excluded itself."""

    value: float
    exclusive: bool


NO_BOUND = Bound(-math.inf, exclusive=False)


def number(node: Node) -> float | None:
    """The value if it is a finite number."""
    value = node.value
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if is_number and not isinstance(value, bool) else None


def bounds(part: Node, keyword: str, sign: int) -> Iterator[Bound]:
    """OpenAPI 3.0 excludes a bound with `true` beside it; later JSON Schema has a second number."""
    excluding = part.own(f"exclusive{keyword.capitalize()}")
    bound, other = number(part.own(keyword)), number(excluding)
    if bound is not None:
        yield Bound(sign * bound, exclusive=excluding.is_true)
    if other is not None:
        yield Bound(sign * other, exclusive=True)


def integer_bound(bound: Bound) -> Bound:
    """The same bound where only integers are allowed, never exclusive."""
    whole = math.floor(bound.value) + 1 if bound.exclusive else math.ceil(bound.value)
    return Bound(whole, exclusive=False)
