"""The examples of a resource: what its contract shows, and what its tests send."""

from typing import Any

from tools.scaffold.names import Names
from tools.scaffold.properties import Property

TIME = "2026-11-23T09:30:00.000000Z"


def full(names: Names, own: list[Property]) -> dict[str, Any]:
    """A body of POST or PUT with every property that a client can write."""
    return {each.name: _value(names, each) for each in own if not each.read_only}


def minimal(own: list[Property]) -> dict[str, Any]:
    """A body with the required properties alone."""
    return {each.name: each.example for each in own if each.required}


def stored(names: Names, own: list[Property]) -> dict[str, Any]:
    """What is stored for the full body, as the service returns it first in an empty database."""
    return {
        "id": 1,
        **{each.name: each.default if each.read_only else _value(names, each) for each in own},
        "created_at": TIME,
        "updated_at": TIME,
    }


def patches(own: list[Property]) -> dict[str, dict[str, Any]]:
    """Bodies of PATCH: one property changed, and one cleared if there is one that can be."""
    written = [each for each in own if not each.read_only]
    found = {"change": {written[0].name: written[0].example}}
    cleared = next((each.name for each in written if each.nullable), None)
    return found if cleared is None else {**found, "clear": {cleared: None}}


def components(names: Names, own: list[Property]) -> dict[str, dict[str, Any]]:
    """The examples by their names among the components of the contract."""
    schema, noun, nouns, an = names.schema, names.noun, names.nouns, names.article
    found: dict[str, dict[str, Any]] = {
        f"New{schema}": {"summary": "All properties", "value": full(names, own)},
        f"Minimal{schema}": {"summary": "Required properties only", "value": minimal(own)},
        f"Change{schema}": {"summary": "Change one property", "value": patches(own)["change"]},
        f"Stored{schema}": {"summary": f"{an.capitalize()} {noun}", "value": stored(names, own)},
        f"One{schema}": {"summary": f"One {noun}", "value": [stored(names, own)]},
        f"No{names.plural_schema}": {"summary": f"No {nouns}", "value": []},
    }
    if "clear" in patches(own):
        found[f"Clear{schema}"] = {"summary": "Clear one property", "value": patches(own)["clear"]}
    if minimal(own) == full(names, own):
        del found[f"Minimal{schema}"]
    return found


def _value(names: Names, each: Property) -> Any:
    """The example; a reference to the same resource has nothing to refer to yet."""
    return None if each.references == names.plural else each.example
