"""The contract with a resource added: the text of openapi/items.yaml, with lines inserted."""

from collections.abc import Mapping
from typing import Any

import yaml

from app.specfile import SafeLoader
from db.resources import Position
from handlers import cursors
from tools.scaffold import examples
from tools.scaffold.documents import Document, Node, dump, flow, pairs
from tools.scaffold.names import Names, ScaffoldError
from tools.scaffold.properties import Property
from tools.scaffold.rules import ID
from tools.scaffold.templating import render
from tools.scaffold.validity import check, missing, present


def add(text: str, names: Names, own: list[Property], sort: list[str]) -> str:
    """The contract's text with the resource in it. Raises `ScaffoldError`."""
    document, before = Document(text), yaml.load(text, Loader=SafeLoader)  # noqa: S506 -- it is a safe one
    schemas, parts = _schemas(names, own, sort), examples.components(names, own)
    components = {
        "schemas": "".join(dump({name: schema}, 4) for name, schema in schemas.items()),
        "parameters": render(
            "parameters.yaml", names, cursor=cursors.encode(f"{names.plural}.id", None, Position(1, 1))
        ),
        "links": render("links.yaml", names),
        "examples": "".join(dump({name: example}, 4) for name, example in parts.items()),
    }
    if problems := [*missing(before), *present(before, names, components)]:
        raise ScaffoldError(problems)
    document.insert_after(document.find("tags"), render("tag.yaml", names))
    document.insert_after(document.find("paths"), _paths(names, own, parts))
    schema = document.find("components", "schemas", names.schema)
    _complete(document, schema, names, own)
    for section, lines in components.items():
        document.insert_after(schema if section == "schemas" else document.find("components", section), lines)
    changed = document.changed()
    check(before, changed, names)
    return changed


def _paths(names: Names, own: list[Property], parts: Mapping[str, Any]) -> str:
    def listed(**named: str) -> str:
        found = ((key, name) for key, name in named.items() if name in parts)
        return "".join(f'{key}:\n  $ref: "#/components/examples/{name}"\n' for key, name in found)

    references = [f"`{each.name}`" for each in own if each.references]
    optional = [each for each in own if not each.read_only and not each.required]
    return render(
        "paths.yaml",
        names,
        body_examples=listed(full=f"New{names.schema}", minimal=f"Minimal{names.schema}"),
        patch_examples=listed(change=f"Change{names.schema}", clear=f"Clear{names.schema}"),
        about_references=f"If {' or '.join(references)} refers to something that does not exist, returns 409."
        if references
        else "",
        about_optional="; one that is left out becomes `null` or its default" if optional else "",
        about_null=", and `null` clears it where it is allowed" if any(each.nullable for each in own) else "",
    )


def _schemas(names: Names, own: list[Property], sort: list[str]) -> dict[str, Any]:
    """The components that are written below the resource's own schema."""
    schema, noun = names.schema, names.noun
    written = [each for each in own if not each.read_only]
    found: dict[str, Any] = {
        f"{schema}Id": {**ID, "description": "Assigned by the service, never twice.", "example": 1},
        **{name: rules for each in own if each.is_new for name, rules in _components(each, noun).items()},
        f"{schema}List": {
            "type": "array",
            "description": f"A page of {names.nouns}.",
            "maxItems": 100,
            "items": _reference(schema),
        },
        f"New{schema}": {
            "type": "object",
            "description": f"The properties of {names.article} {noun} that a client can write.",
            "additionalProperties": False,
            "required": [each.name for each in written if each.required],
            "properties": {each.name: _written(each) for each in written},
        },
        f"{schema}Patch": {
            "type": "object",
            "description": f"The properties of {names.article} {noun} to change (RFC 7396).",
            "additionalProperties": False,
            "properties": {each.name: _reference(each.component) for each in written},
        },
        f"{schema}Sort": {
            "type": "string",
            "description": "The property to sort by; `-` means descending. Rows with equal values are sorted by id.",
            "enum": [sign + name for name in sort for sign in ("", "-")],
            "x-enum-varnames": [name.upper() + end for name in sort for end in ("", "_DESCENDING")],
            "default": "id",
        },
    }
    if not found[f"New{schema}"]["required"]:
        del found[f"New{schema}"]["required"]
    return found


def _components(each: Property, noun: str) -> dict[str, Any]:
    """The rules of a property; those of an array's elements have a name of their own, which generators ask for."""
    if each.schema["type"] != "array":
        return {each.component: dict(each.schema)}
    name = f"{each.component}Entry"
    described = {"description": f"One of the {each.name.replace('_', ' ')} of the {noun}.", **each.schema["items"]}
    return {name: described, each.component: {**each.schema, "items": _reference(name)}}


def _reference(component: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{component}"}


def _written(each: Property) -> dict[str, Any]:
    """A property as a new one has it; with its default, which must not be in a patch."""
    if each.default is None:
        return _reference(each.component)
    return {"allOf": [_reference(each.component)], "description": each.schema["description"], "default": each.default}


def _complete(document: Document, schema: Node, names: Names, own: list[Property]) -> None:
    """Write into the person's schema what it does not have, and move its rules to components of their own."""
    written = {key.value: value for key, value in pairs(schema)}
    first = {
        "type": "object",
        "description": f"{names.article.capitalize()} {names.noun}, as the service returns it.",
        "additionalProperties": False,
    }
    required = ["id", *(each.name for each in own), "created_at", "updated_at"]
    if "required" in written:
        document.replace(written["required"], flow(required), same_line=True)
    else:
        first["required"] = required
    _insert_first(document, schema, {key: value for key, value in first.items() if key not in written})
    by_name = {key.value: value for key, value in pairs(written["properties"])}
    for each in own:
        if each.is_new:
            _move(document, by_name[each.name], each)
    noun = names.noun
    common = {
        "id": _owned(f"{names.schema}Id", "Assigned by the service, never twice."),
        "created_at": _owned("Timestamp", f"When the {noun} was created."),
        "updated_at": _owned("Timestamp", f"When the {noun} was last changed."),
    }
    for name, value in common.items():
        if name in by_name:
            document.replace(by_name[name], _value(document, by_name[name], value))
    _insert_first(document, written["properties"], {"id": common["id"]} if "id" not in by_name else {})
    later = {name: common[name] for name in ("created_at", "updated_at") if name not in by_name}
    _insert_last(document, written["properties"], later)


def _owned(component: str, description: str) -> dict[str, Any]:
    return {"allOf": [_reference(component)], "description": description, "readOnly": True}


def _move(document: Document, node: Node, each: Property) -> None:
    """Refer to the component that has the property's rules now."""
    value: dict[str, Any] = _reference(each.component)
    if each.read_only:
        value = _owned(each.component, each.schema["description"])
    document.replace(node, _value(document, node, value))


def _value(document: Document, node: Node, value: Any) -> str:
    """A mapping in the place of another one, in its style; the comments within that one stay."""
    if node.flow_style:
        return flow(value)
    indent = node.start_mark.column
    lines = [*document.comments(node), *dump(value, 0).splitlines()]
    return f"\n{' ' * indent}".join(lines)


def _insert_first(document: Document, node: Node, entries: Mapping[str, Any]) -> None:
    if not entries:
        return
    if node.flow_style:
        inner = node.value[0][0]
        document.insert_before(inner, f"{flow(entries)[1:-1]}, ")
        return
    indent = node.start_mark.column
    document.insert_before(node, dump(entries, indent).lstrip() + " " * indent)


def _insert_last(document: Document, node: Node, entries: Mapping[str, Any]) -> None:
    if not entries:
        return
    if node.flow_style:
        document.insert_at_end(node, f", {flow(entries)[1:-1]}")
    else:
        document.insert_after(node, dump(entries, node.start_mark.column))
