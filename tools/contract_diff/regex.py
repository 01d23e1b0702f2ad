"""Reads the patterns of a contract (ECMA 262) as far as they describe a regular language."""

import re
from typing import NamedTuple, TypeAlias

LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]


class UnsupportedError(Exception):
    """The pattern has something that is not understood here, such as a look-ahead."""


class Characters(NamedTuple):
    """One character out of these ranges."""

    ranges: Ranges


class Alternatives(NamedTuple):
    """One of these terms."""

    terms: "tuple[Term, ...]"


class Repeat(NamedTuple):
    """The term, at least and at most so many times; None is without end."""

    term: "Term"
    least: int
    most: int | None


Term: TypeAlias = tuple[Characters | Alternatives | Repeat, ...]
ANYTHING: Term = (Repeat((Characters(((0, LAST),)),), 0, None),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
                  (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF))  # fmt: skip
_CLASSES: dict[str, Ranges] = {"d": ((48, 57),), "w": _WORD, "s": _SPACE}
_CONTROLS = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "0": 0}
_QUANTIFIER = re.compile(r"(?:(?P<sign>[*+?])|\{(?P<least>\d+)(?P<comma>,)?(?P<most>\d+)?\})\??")
_SIGNS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_HEX = re.compile(r"u(?P<four>[0-9A-Fa-f]{4})|x(?P<two>[0-9A-Fa-f]{2})")
_GROUP = re.compile(r"\((?:\?:|\?<\w+>)?(?!\?)")


def parse(pattern: str) -> Term:
    """Read a pattern as a term that matches whole texts. Raises `UnsupportedError`."""
    reader = _Reader(pattern)
    term = reader.alternatives(is_outermost=True)
    if reader.rest:
        raise UnsupportedError(pattern)
    return term


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.rest = pattern

    def alternatives(self, *, is_outermost: bool = False) -> Term:
        """Read up to the end of the pattern or of the group."""
        terms = [self._sequence(is_outermost=is_outermost)]
        while self._take("|"):
            terms.append(self._sequence(is_outermost=is_outermost))
        if ANYTHING in terms:
            return ANYTHING
        return terms[0] if len(terms) == 1 else (Alternatives(tuple(terms)),)

    def _sequence(self, *, is_outermost: bool) -> Term:
        """Read one alternative. A pattern matches anywhere in a text unless anchors hold it."""
        term = () if not is_outermost or self._take("^") else ANYTHING
        is_open = is_outermost
        while self.rest and self.rest[0] not in "|)":
            if is_outermost and self.rest[0] == "$" and self.rest[1:2] in ("", "|"):
                self._take("$")
                is_open = False
                break
            term += self._quantified(self._atom())
        term += ANYTHING if is_open else ()
        return ANYTHING if set(term) == set(ANYTHING) else term

    def _atom(self) -> Term:
        if group := _GROUP.match(self.rest):
            self.rest = self.rest[group.end() :]
            term = self.alternatives()
            if not self._take(")"):
                raise UnsupportedError(self.rest)
            return term
        if self._take("["):
            return (Characters(self._class()),)
        if self._take("."):
            return (Characters(_other_than(((10, 10),))),)
        if self._take("\\"):
            return (Characters(self._escape()),)
        if self.rest[0] in "^$(*+?{})]":
            raise UnsupportedError(self.rest)
        return (Characters(((ord(self._next()),) * 2,)),)

    def _quantified(self, term: Term) -> Term:
        found = _QUANTIFIER.match(self.rest)
        if not found:
            return term
        self.rest = self.rest[found.end() :]
        if found["sign"]:
            least, most = _SIGNS[found["sign"]]
        else:
            least = int(found["least"])
            most = int(found["most"]) if found["most"] else None if found["comma"] else least
        return (Repeat(term, least, most),) if most != 0 else ()

    def _class(self) -> Ranges:
        is_negated, ranges = self._take("^"), list[tuple[int, int]]()
        while not self._take("]"):
            first = self._character()
            if self.rest[:1] == "-" and self.rest[1:2] not in ("]", ""):
                self._take("-")
                last = self._character()
                if not (len(first) == len(last) == 1 and first[0][0] == first[0][1] <= last[0][0] == last[0][1]):
                    raise UnsupportedError(self.rest)
                first = ((first[0][0], last[0][0]),)
            ranges += first
        return _other_than(tuple(ranges)) if is_negated else tuple(sorted(ranges))

    def _character(self) -> Ranges:
        return self._escape() if self._take("\\") else ((ord(self._next()),) * 2,)

    def _escape(self) -> Ranges:
        if found := _HEX.match(self.rest):
            self.rest = self.rest[found.end() :]
            return ((int(found["four"] or found["two"], 16),) * 2,)
        sign = self._next()
        if sign.lower() in _CLASSES:
            ranges = _CLASSES[sign.lower()]
            return ranges if sign.islower() else _other_than(ranges)
        if sign.isalnum() and sign not in _CONTROLS:
            raise UnsupportedError(sign)
        return ((_CONTROLS.get(sign, ord(sign)),) * 2,)

    def _take(self, sign: str) -> bool:
        is_next = self.rest.startswith(sign)
        self.rest = self.rest[len(sign) :] if is_next else self.rest
        return is_next

    def _next(self) -> str:
        if not self.rest:
            raise UnsupportedError("the pattern ends too early")
        sign, self.rest = self.rest[0], self.rest[1:]
        return sign


def _other_than(ranges: Ranges) -> Ranges:
    found, start = list[tuple[int, int]](), 0
    for first, last in sorted(ranges):
        if first > start:
            found.append((start, first - 1))
        start = max(start, last + 1)
    return (*found, (start, LAST)) if start <= LAST else tuple(found)
