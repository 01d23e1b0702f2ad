"""What the service has to reach beside its peers, in CPU per request with the same durability."""

from benchmarks.registry import CONNEXION_FLASK, FASTAPI, LIMIT, LITESTAR, TUTORIAL, Contestant

# The service costs at most this many times as much as the limit.
AT_MOST = {LIMIT: {"get-one": 1.2, "get-50": 1.25, "404": 1.3, "400": 1.3}}
# It is at least this many times cheaper than each of these.
AT_LEAST = {
    LITESTAR: {"get-one": 1.5, "get-50": 1.25, "post": 2.0, "post-durable": 2.0},
    FASTAPI: {"get-one": 3.5, "get-50": 2.5, "post": 4.0, "post-durable": 4.0},
    TUTORIAL: {"get-one": 6.0, "get-50": 5.0, "post": 8.0, "post-durable": 8.0},
    CONNEXION_FLASK: {"get-one": 8.0, "get-50": 5.0, "post": 8.0, "post-durable": 8.0},
}


def verdict(figure: float | None, target: str, *, reached: bool) -> str:
    """Return a figure with its target, and whether it reached the target."""
    if figure is None:
        return "-"
    return f"{figure:.2f} ({target}: {'pass' if reached else '**miss**'})"


def at_most(figure: float | None, target: float) -> str:
    """Return a figure with the most that it may be."""
    return verdict(figure, f"≤ {target:g}", reached=figure is not None and figure <= target)


def at_least(figure: float | None, target: float) -> str:
    """Return a figure with the least that it may be."""
    return verdict(figure, f"≥ {target:g}", reached=figure is not None and figure >= target)


def beside(contestant: Contestant, scenario: str, ratio: float | None) -> str:
    """Return how a contestant's cost, as a multiple of the service's, compares with the target; "" without a target."""
    if scenario in AT_MOST.get(contestant, {}):
        return at_most(1 / ratio if ratio else None, AT_MOST[contestant][scenario])
    if scenario in AT_LEAST.get(contestant, {}):
        return at_least(ratio, AT_LEAST[contestant][scenario])
    return ""
