"""Whether every text that matches one `pattern` matches another.

Patterns are read into terms, and both are followed character by character with partial derivatives (V. Antimirov,
Partial derivatives of regular expressions, 1996). Of the syntax, what describes a regular language is understood.
"""

from functools import cache

from tools.contract_diff.regex import ANYTHING, Alternatives, Characters, Repeat, Term, UnsupportedError, parse

MOST_STATES, MOST_AT_ONCE = 2_000, 50
"""How many states are visited, and how many terms are followed at once, before the question is given up."""


@cache
def includes(wider: str, narrower: str) -> bool:
    """Whether `wider` matches every text that `narrower` matches; also False if that cannot be decided."""
    if wider == narrower:
        return True
    try:
        start = parse(narrower), frozenset({parse(wider)})
    except (UnsupportedError, RecursionError):
        return False
    if ANYTHING in start[1]:
        return True
    alphabet = _representatives([start[0], *start[1]])
    pending, seen = [start], {start}
    while pending and len(seen) < MOST_STATES:
        term, others = pending.pop()
        if _matches_empty(term) and not any(map(_matches_empty, others)):
            return False
        for character in alphabet:
            after = frozenset[Term]().union(*(_after(other, character) for other in others))
            if len(after) > MOST_AT_ONCE:
                return False
            states = {(left, after) for left in _after(term, character)} - seen
            seen |= states
            pending += states
    return not pending


def _representatives(terms: list[Term]) -> list[int]:
    """One character for each set of characters that no class of the terms tells apart."""
    bounds = {0}
    pending = [item for term in terms for item in term]
    while pending:
        item = pending.pop()
        if isinstance(item, Characters):
            bounds.update(bound for first, last in item.ranges for bound in (first, last + 1))
        elif isinstance(item, Alternatives):
            pending += [part for term in item.terms for part in term]
        else:
            pending += item.term
    return sorted(bounds)


@cache
def _after(term: Term, character: int) -> frozenset[Term]:
    """What has to match the rest of a text that begins with the character; nothing if it cannot."""
    if not term:
        return frozenset()
    item, rest = term[0], term[1:]
    if isinstance(item, Characters):
        fits = any(first <= character <= last for first, last in item.ranges)
        return frozenset({rest} if fits else ())
    if isinstance(item, Alternatives):
        return frozenset[Term]().union(*(_after(choice + rest, character) for choice in item.terms))
    found = frozenset(left + _fewer(item) + rest for left in _after(item.term, character)) if item.most != 0 else set()
    return frozenset(found | _after(rest, character) if _matches_empty((item,)) else found)


def _fewer(item: Repeat) -> Term:
    """The repetition after one round."""
    most = None if item.most is None else item.most - 1
    return () if most == 0 else (Repeat(item.term, max(item.least - 1, 0), most),)


@cache
def _matches_empty(term: Term) -> bool:
    return all(
        item.least == 0 or _matches_empty(item.term)
        if isinstance(item, Repeat)
        else isinstance(item, Alternatives) and any(map(_matches_empty, item.terms))
        for item in term
    )
