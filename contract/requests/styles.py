"""How the raw values of a parameter become its value: OpenAPI 3.0.3, Parameter Object, Style Values."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from contract.requests.strict_json import InvalidJSON, parse_text
from contract.requests.structures import ABSENT, Structure, Structures, claims, gather
from contract.spec.document import Uncompilable

Query = Mapping[str, list[str]]
_DELIMITERS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_DEFAULT_STYLES = {"path": "simple", "header": "simple", "query": "form", "cookie": "form"}
_STYLES = {"path": {"simple"}, "header": {"simple"}, "cookie": {"form"},
           "query": {"form", "spaceDelimited", "pipeDelimited", "deepObject"}}  # fmt: skip


class Style(NamedTuple):
    """`find` gets the raw value of a parameter out of the query, falsy if there is none; `decode` makes it a value.

    `decode` returns `ABSENT` for a value that must be single and is given more than once, and raises `InvalidJSON`.
    `claims` tells which other query parameters are parts of this one.
    """

    decode: Callable[[Any], Any]
    find: Callable[[Query], Any] | None = None
    claims: Callable[[str], bool] | None = None


def style_of(parameter: Mapping[str, Any], structures: Structures) -> Style:
    """Return how a parameter is decoded. Raise `Uncompilable` for a combination that OpenAPI does not define."""
    name, location = parameter["name"], parameter["in"]
    if "content" in parameter:
        return Style(_single(_content_decoder(parameter)))
    if "schema" not in parameter:
        raise Uncompilable(f"parameter {name} has neither schema nor content")
    style = parameter.get("style", _DEFAULT_STYLES[location])
    if style not in _STYLES[location]:
        raise Uncompilable(f"parameter {name} has the style {style} in {location}")
    explode = parameter.get("explode", style == "form")
    structure = structures.build(parameter["schema"])
    if style == "deepObject":
        return Style(structure.decode, lambda query: gather(name, query), lambda key: claims(name, key))
    if "object" in structure.types:
        return _object_style(name, structure, _DELIMITERS[style], explode=explode, location=location)
    if structure.items is None:
        if "array" in structure.types:
            raise Uncompilable(f"parameter {name} is an array without items")
        return Style(_single(structure.decode_value))
    if explode and location == "query":
        return Style(structure.decode_values if style == "form" else _exploded_decoder(structure, _DELIMITERS[style]))
    return Style(_single(_array_decoder(structure, _DELIMITERS[style], location)))


def _single(decode: Callable[[str], Any]) -> Callable[[list[str]], Any]:
    return lambda values: decode(values[0]) if len(values) == 1 else ABSENT


def _exploded_decoder(structure: Structure, delimiter: str) -> Callable[[list[str]], Any]:
    """Return what decodes `ids=1&ids=2`, and `ids=1|2` as well, which Connexion accepts here."""

    def decode(values: list[str]) -> Any:
        return structure.decode_values(values[0].split(delimiter) if len(values) == 1 else values)

    return decode


def _array_decoder(structure: Structure, delimiter: str, location: str) -> Callable[[str], Any]:
    strip = " \t" if location == "header" else ""  # RFC 9110 §5.6.1 has space around the commas of a list

    def decode(text: str) -> Any:
        parts = text.split(delimiter)
        return structure.decode_values([part.strip(strip) for part in parts] if strip else parts)

    return decode


def _content_decoder(parameter: Mapping[str, Any]) -> Callable[[str], Any]:
    (media_type, _) = next(iter(parameter["content"].items()))
    return parse_text if media_type.lower().split(";")[0].rstrip().endswith(("/json", "+json")) else str


def _object_style(name: str, structure: Structure, delimiter: str, *, explode: bool, location: str) -> Style:
    if explode and location == "query":
        if structure.additional is not None:
            raise Uncompilable(f"parameter {name} is an exploded object with any properties: nothing tells them apart")
        names = structure.properties

        def find(query: Query) -> dict[str, list[str]]:
            return {key: query[key] for key in names if key in query}

        return Style(lambda found: structure.decode({f"[{key}": {"": part} for key, part in found.items()}), find,
                     names.__contains__)  # fmt: skip
    if explode and location == "cookie":
        raise Uncompilable(f"parameter {name} is an exploded object in a cookie")

    def decode(text: str) -> Any:
        parts = [part.strip() for part in text.split(delimiter)]
        pairs = (
            [part.partition("=")[::2] for part in parts]
            if explode
            else list(zip(parts[::2], parts[1::2], strict=False))
        )
        if len(dict(pairs)) < len(pairs) or (not explode and len(parts) % 2):
            return text  # which is no object
        return structure.decode({f"[{key}": {"": [value]} for key, value in pairs})

    return Style(_single(decode))


__all__ = ["ABSENT", "InvalidJSON", "Style", "style_of"]
