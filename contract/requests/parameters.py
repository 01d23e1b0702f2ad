"""The parameters of an operation: decoded, validated, and named like the handler's arguments."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from functools import lru_cache
from itertools import islice
from typing import Any

from contract.problems import MAX_ERRORS, Violation
from contract.requests.raw import cookie_values, is_unicode, query_values
from contract.requests.strict_json import InvalidJSON
from contract.requests.structures import ABSENT, Structures
from contract.requests.styles import Query, style_of
from contract.requests.values import SCALARS
from contract.spec.document import Document, Uncompilable
from contract.spec.operations import Operation
from contract.spec.schemas import Schemas
from contract.spec.types import admitted, merged

Arguments = dict[str, Any]
NOT_UTF_8 = Violation("parameter", "", "is not percent-encoded UTF-8")
_MEMORY = 256
"""How many query strings an operation remembers, and from which length on it remembers none."""


class Parameter:
    """One parameter, compiled. Raises `Uncompilable` for what `style_of` does not support."""

    def __init__(
        self, operation: Operation, parameter: Mapping[str, Any], document: Document, schemas: Schemas
    ) -> None:
        self.name = str(parameter["name"])
        self.location = str(parameter["in"])
        self.argument = operation.argument(parameter)
        self.required = bool(parameter.get("required"))
        self._style = style_of(parameter, Structures(document, schemas))
        content: Mapping[str, Any] = next(iter(parameter.get("content", {}).values()), {})
        schema = parameter.get("schema") or content.get("schema", {})
        types = admitted(schema, document)
        self.is_scalar = types <= SCALARS and "content" not in parameter
        self.default = merged(schema, document).get("default", ABSENT)
        self._schema = schemas.compile(schema)
        self._empty = parameter.get("allowEmptyValue") is True and self.location == "query"
        self._empty_value = "" if "string" in types or not types else None
        self.decode: Callable[[Any], Any] = self._style.decode
        self.is_valid = self._schema.is_valid
        self.claims = self._style.claims

    def find(self, query: Query) -> Any:
        """Return the parameter's raw values out of those of the query; None or empty if there are none."""
        return self._style.find(query) if self._style.find else query.get(self.name)

    def read(self, raw: Any, arguments: Arguments, violations: list[Violation]) -> None:
        """Add the value to the arguments, or what is wrong with it to the violations."""
        if not raw:
            if self.required:
                violations.append(self._violation((), "is required"))
            return
        if self._empty and raw == [""]:
            arguments[self.argument] = self._empty_value
            return
        try:
            value = self.decode(raw)
        except InvalidJSON as error:
            violations.append(self._violation((), str(error)))
            return
        if value is ABSENT:
            violations.append(self._violation((), "is given more than once"))
        elif self.is_valid(value):
            arguments[self.argument] = value
        else:
            violations += [self._violation(path, detail) for path, detail in self._schema.violations(value)]

    def _violation(self, path: tuple[str, ...], detail: str) -> Violation:
        """Return a violation of the parameter; `path` leads to an element or a property of its value."""
        inside = f"element {'/'.join(path)} " if path else ""
        return Violation("header" if self.location == "header" else "parameter", self.name, inside + detail)


class Parameters:
    """All parameters of one operation."""

    def __init__(
        self,
        operation: Operation,
        document: Document,
        schemas: Schemas,
        *,
        path: Iterable[str],
        queries: frozenset[str],
    ) -> None:
        """`path` are the path parameters in their order, `queries` the query parameters that carry credentials."""
        parameters = [Parameter(operation, parameter, document, schemas) for parameter in operation.parameters]
        self.arguments = {parameter.argument for parameter in parameters}
        self._query = [p for p in parameters if p.location == "query"]
        self._headers = [(p.name.lower().encode(), p) for p in parameters if p.location == "header"]
        self._cookies = [p for p in parameters if p.location == "cookie"]
        by_name = {p.name: p for p in parameters if p.location == "path"}
        if missing := [name for name in path if name not in by_name]:
            raise Uncompilable(f"its path has the parameter {missing[0]}, which is not declared")
        self._path = [by_name[name] for name in path]
        self.header_names = frozenset([key for key, _ in self._headers] + [b"cookie"] * bool(self._cookies))
        self._known = frozenset(p.name for p in self._query) | queries
        self._not_allowed = f"is not allowed here; allowed parameters: {', '.join(sorted(self._known)) or 'none'}"
        self._claims = [p.claims for p in self._query if p.claims is not None]
        self._requires_query = any(parameter.required for parameter in self._query)
        self._defaults = {p.argument: p.default for p in parameters if p.default is not ABSENT}
        are_mutable = any(isinstance(default, dict | list) for default in self._defaults.values())
        self._fresh_defaults: Callable[[Arguments], Arguments] = deepcopy if are_mutable else dict
        are_scalar = all(parameter.is_scalar for parameter in self._query)  # else a handler could change what is kept
        self._remembered_query = lru_cache(_MEMORY)(self._read_query) if are_scalar else self._read_query

    def read(
        self, path: tuple[str, ...], query_string: bytes, headers: Mapping[bytes, str]
    ) -> tuple[Arguments, list[Violation]]:
        """Return the handler's arguments, and every violation."""
        arguments = self._fresh_defaults(self._defaults)
        violations: list[Violation] = []
        for parameter, value in zip(self._path, path, strict=True):
            if is_unicode(value):
                parameter.read([value], arguments, violations)
            else:
                violations.append(Violation("parameter", parameter.name, NOT_UTF_8.detail))
        if query_string or self._requires_query:
            read_query = self._remembered_query if len(query_string) < _MEMORY else self._read_query
            values, wrong = read_query(query_string)
            if wrong == (NOT_UTF_8,):  # then it says nothing else that could be relied on
                return arguments, [NOT_UTF_8]
            arguments |= values
            violations += wrong
        for key, parameter in self._headers:
            if key in headers or parameter.required:
                parameter.read([headers[key]] if key in headers else [], arguments, violations)
        if self._cookies:
            self._read_cookies(headers.get(b"cookie"), arguments, violations)
        return arguments, violations

    def _read_query(self, query_string: bytes) -> tuple[Arguments, tuple[Violation, ...]]:
        arguments: Arguments = {}
        try:
            query = query_values(query_string)
        except UnicodeDecodeError:
            return arguments, (NOT_UTF_8,)
        violations = list(islice(self._unknown(query), MAX_ERRORS + 1))
        for parameter in self._query:
            parameter.read(parameter.find(query), arguments, violations)
        return arguments, tuple(violations)

    def _unknown(self, query: Query) -> Iterator[Violation]:
        """Yield a violation for every query parameter that the operation does not have."""
        for name in query:
            if name not in self._known and not any(claims(name) for claims in self._claims):
                yield Violation("parameter", name, self._not_allowed)

    def _read_cookies(self, header: str | None, arguments: Arguments, violations: list[Violation]) -> None:
        cookies = cookie_values(header)
        for parameter in self._cookies:
            parameter.read([cookies[parameter.name]] if parameter.name in cookies else [], arguments, violations)
