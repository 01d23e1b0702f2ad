"""Values with their units, and the marks of an axis, much as Grafana writes them."""

import math

Scales = tuple[tuple[float, str], ...]
_SCALES: dict[str, Scales] = {
    "none": ((1, ""),),
    "percentunit": ((0.01, "%"),),
    "reqps": ((1, " req/s"), (1e3, "K req/s")),
    "ops": ((1, " ops/s"), (1e3, "K ops/s")),
    "s": ((1e-6, " µs"), (1e-3, " ms"), (1, " s"), (60, " min"), (3600, " hours"), (86400, " days")),
    "bytes": ((1, " B"), (2**10, " KiB"), (2**20, " MiB"), (2**30, " GiB"), (2**40, " TiB")),
}
"""For each unit of the dashboard: from which size on a value is written with which name."""
_MARKS = 4


def write(value: float, unit: str, decimals: int = 3) -> str:
    """Return a value with up to three significant digits, and its unit. The unit `suffix:x` is written as x."""
    scales = scales_of(unit)
    size, name = next((scale for scale in reversed(scales) if scale[0] <= (abs(value) or 1)), scales[0])
    number = value / size
    digits = 2 - math.floor(math.log10(abs(number))) if number else 0
    text = f"{number:.{min(max(digits, 0), decimals)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + name


def scales_of(unit: str) -> Scales:
    """Return the scales of a unit; KeyError if it is not known here."""
    kind, _, suffix = unit.partition(":")
    return ((1, f" {suffix}"),) if kind == "suffix" else _SCALES[unit]


def marks(low: float, high: float, unit: str) -> list[float]:
    """Return about four round values for an axis, the first at most `low` and the last at least `high`."""
    high = high if high > low else low + 1
    step = _round_up((high - low) / _MARKS, 2 if unit == "bytes" else 10)
    first = math.floor(low / step)
    return [step * number for number in range(first, math.ceil(high / step) + 1)]


def _round_up(step: float, base: int) -> float:
    """Return the next power of 2, or the next of 1, 2 and 5 times a power of 10."""
    power: float = float(base) ** math.floor(math.log(step, base))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= step * (1 - 1e-9))
