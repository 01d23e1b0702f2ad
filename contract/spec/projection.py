"""Projects a schema onto requests or onto responses.

A property that is required and readOnly is required in responses only; one that is writeOnly, in requests only (OpenAPI
3.0.3, Schema Object, Fixed Fields).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from contract.spec.document import Document, Uncompilable, resolve

Names = frozenset[str]


class Projection:
    """The schemas of a document as they are in requests, or in responses."""

    def __init__(self, document: Document, *, response: bool) -> None:
        self._document = document
        self._marks = ("writeOnly", "x-writeOnly") if response else ("readOnly",)
        self._done: dict[tuple[int, Names], Any] = {}

    def project(self, schema: Any, excluded: Names = frozenset()) -> Any:
        """Return the schema without what it requires in the other direction only.

        `excluded` are the properties that an enclosing schema, which validates the same value, has excluded already.
        """
        if not isinstance(schema, Mapping):
            return schema
        if "$ref" in schema:
            target = self._target(schema)
            return schema if excluded <= self._marked(target) else self.project(target, excluded)
        key = id(schema), excluded
        if key not in self._done:
            projected = self._done[key] = {}
            projected.update(self._keywords(schema, excluded | self._marked(schema)))
        return self._done[key]

    def _keywords(self, schema: Mapping[str, Any], excluded: Names) -> Iterator[tuple[str, Any]]:
        for keyword, value in schema.items():
            if keyword == "required":
                if required := [name for name in value if name not in excluded]:
                    yield keyword, required
            elif keyword == "properties":
                yield keyword, {name: self.project(part) for name, part in value.items()}
            elif keyword in ("items", "additionalProperties"):
                yield keyword, self.project(value)
            elif keyword in ("allOf", "anyOf", "oneOf"):  # these validate the same value
                yield keyword, [self.project(part, excluded) for part in value]
            else:
                yield keyword, value

    def _marked(self, schema: Mapping[str, Any], seen: tuple[int, ...] = ()) -> Names:
        """Return the properties of the other direction, those in an `allOf` among them."""
        if id(schema) in seen:
            return frozenset()
        properties = schema.get("properties", {}).items()
        marked = frozenset(name for name, part in properties if self._is_marked(part))
        return marked.union(
            *(self._marked(self._target(part), (*seen, id(schema))) for part in schema.get("allOf", ()))
        )

    def _is_marked(self, part: Any, seen: tuple[int, ...] = ()) -> bool:
        part = self._target(part)
        if id(part) in seen:
            return False
        return any(part.get(mark) is True for mark in self._marks) or any(
            self._is_marked(each, (*seen, id(part))) for each in part.get("allOf", ())
        )

    def _target(self, schema: Any) -> Mapping[str, Any]:
        try:
            target = resolve(self._document, schema)
        except Uncompilable:
            return {}  # compiling the reference itself reports it
        return target if isinstance(target, Mapping) else {}
