"""Whether the parts of a contract fit together: references, operationIds, path parameters, security, limits, dates."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from contract.diagnostics import Fault, Steps, pointer, suggestion
from contract.spec import limits, retirement
from contract.spec.document import (
    FILES,
    METHODS,
    TEMPLATE_PARAMETER,
    Document,
    External,
    Uncompilable,
    is_local,
    resolve,
    steps,
)

# The section of `components` that a reference leads to: by the field that holds it, or by the map or list around it.
_FIELDS = dict.fromkeys(("schema", "items", "not", "additionalProperties"), "schemas")
_FIELDS["requestBody"] = "requestBodies"
_SECTIONS = ("parameters", "responses", "headers", "examples", "links", "callbacks", "requestBodies", "schemas")
_AROUND = {name: name for name in _SECTIONS} | dict.fromkeys(("properties", "allOf", "anyOf", "oneOf"), "schemas")


def reference_faults(document: Document, references: Mapping[str, Sequence[Steps]]) -> Iterator[Fault]:
    """Yield each reference that leads nowhere, or to something of another kind.

    The compiler refuses references that lead out of the contract's folder, where they are used.
    """
    for reference, places in references.items():
        if not is_local(reference):
            continue
        target = steps(reference[1:])
        try:
            resolve(document, {"$ref": reference})
        except External:
            continue
        except Uncompilable as reason:
            message = str(reason).replace(reference, f"`{_original(reference)}`")
            help_ = "" if "itself" in message else _closest(document, target, section(places[0]))
            yield from (Fault(message, help_, (*at, "$ref")) for at in places)
        else:
            yield from _of_another_kind(reference, target, places)


def _of_another_kind(reference: str, target: Steps, places: Sequence[Steps]) -> Iterator[Fault]:
    if target[:1] != ("components",) or len(target) != 3:
        return
    for at in places:
        wanted = section(at)
        if wanted not in (None, target[1]):
            message = f"`{reference}` cannot be referred to here"
            yield Fault(message, f"a reference to `#/components/{wanted}/…` can", (*at, "$ref"))


def faults(document: Document) -> Iterator[Fault]:
    """Yield everything that does not fit together in a document whose structure is valid."""
    first: dict[str, Steps] = {}
    for path, item in document["paths"].items():
        if not path.startswith("/"):
            continue
        try:
            resolved = resolve(document, item)
        except Uncompilable:
            continue  # `routes()` says so
        for method in METHODS:
            if method in resolved:
                at = ("paths", path, method)
                yield from _operation_id(resolved[method], at, first)
                yield from _path_parameters(document, resolved, path, at)
                yield from _security(document, resolved[method].get("security", ()), at)
                yield from limits.faults(resolved[method], at)
                yield from retirement.faults(resolved[method], at)
    yield from _security(document, document.get("security", ()), ())
    yield from limits.faults(document, ())


def _operation_id(operation: Mapping[str, Any], at: Steps, first: dict[str, Steps]) -> Iterator[Fault]:
    name = operation.get("operationId")
    if name is None:
        return
    place = (*at, "operationId")
    if first.setdefault(name, place) is not place:
        yield Fault(f"the operationId `{name}` is there twice", "the first is at {see}", place, see=first[name])


def _path_parameters(document: Document, item: Mapping[str, Any], path: str, at: Steps) -> Iterator[Fault]:
    """Yield the parameters that are in the path and not declared, and those that are declared and not in the path."""
    in_path = TEMPLATE_PARAMETER.findall(path)
    declared: dict[str, Steps] = {}
    for owner, where in ((item, at[:-1]), (item[at[-1]], at)):
        for number, part in enumerate(owner.get("parameters", ())):
            try:
                parameter = resolve(document, part)
            except Uncompilable:
                return  # the compiler says so
            if parameter["in"] == "path":
                declared[parameter["name"]] = (*where, "parameters", str(number))
    surplus = [name for name in declared if name not in in_path]
    for name in in_path:
        if name not in declared:
            help_ = suggestion(name, surplus) or "add it to `parameters`, with `in: path`"
            yield Fault(f"the path has the parameter `{name}`, which is not declared", help_, at, key=True)
    for name in surplus:
        help_ = suggestion(name, in_path) or f"write `{{{name}}}` in the path"
        yield Fault(f"the path `{path}` has no parameter `{name}`", help_, (*declared[name], "name"))


def _security(document: Document, requirements: Sequence[Mapping[str, Any]], at: Steps) -> Iterator[Fault]:
    schemes = document.get("components", {}).get("securitySchemes", {})
    for number, requirement in enumerate(requirements):
        for name in requirement.keys() - schemes.keys():
            message = f"there is no security scheme `{name}` in `components.securitySchemes`"
            yield Fault(message, suggestion(name, schemes), (*at, "security", str(number), name), key=True)


def section(at: Steps) -> str | None:
    """Return the section of `components` that a reference at this place leads to, if that can be said."""
    *_, before, around, field = ("", "", *at)
    return _AROUND[around] if around in _AROUND and before != "properties" else _FIELDS.get(field)


def _closest(document: Document, target: Steps, wanted: str | None) -> str:
    """Return the suggestion of an existing target: with a similar name, or with the same name in another section."""
    *parents, name = target or ("",)
    components = document.get("components", {})
    try:
        siblings = resolve(document, {"$ref": f"#{pointer(tuple(parents))}"})
    except Uncompilable:
        siblings = {}
    names = list(siblings) if isinstance(siblings, Mapping) else []
    for kind in components:
        if name in components[kind] and wanted in (None, kind):
            return f"did you mean `#/components/{kind}/{name}`?"
    few = f"there are: {', '.join(names)}" if 0 < len(names) <= 8 else ""
    return suggestion(name, names) or suggestion(name, components.get(wanted, {})) or few


def _original(reference: str) -> str:
    """Return the reference as it is in the file, or would be in the first one."""
    file, _, pointer = reference.removeprefix(f"#/{FILES}/").partition("/")
    return f"{file}#/{pointer}" if reference.startswith(f"#/{FILES}/") else reference
