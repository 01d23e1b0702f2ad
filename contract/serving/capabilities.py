"""Capabilities: what goes on beside the work of handlers, such as `Idempotency-Key` or an audit log."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from contract.responses.response import Response
from contract.serving.request import Request
from contract.spec.operations import Operation

Call = Callable[[], Response]
"""What goes on with a request: the next capability, or the handler. Raises `Problem` for the handler's problems."""


class Capability(Protocol):
    """Code around the handler, which runs where the handler runs: on the same thread, in the same transaction.

    Every operation that declares `header` as a parameter has the capability, and its handler does not take the header.
    The code runs for requests that have the header. Without a `header`, every operation with an unsafe method (RFC 9110
    §9.2.1) has the capability, and the code runs for every request.
    """

    @property
    def header(self) -> str | None:
        """The name of the header."""

    def respond(self, value: Any, request: Request, call: Call) -> Response:
        """Respond to a request whose header has this value; None for a capability without one. Raise `Problem`."""


class Capabilities:
    """The capabilities of one operation, the first one outermost."""

    def __init__(self, capabilities: Sequence[Capability], operation: Operation) -> None:
        declared = {p["name"].lower(): operation.argument(p) for p in operation.parameters if p["in"] == "header"}
        self._by_argument: list[tuple[str | None, Capability]] = []  # None: for every request; the innermost first
        for capability in reversed(capabilities):
            if capability.header is None and not operation.is_safe:
                self._by_argument.append((None, capability))
            elif capability.header is not None and capability.header.lower() in declared:
                self._by_argument.append((declared[capability.header.lower()], capability))
        self._always = any(argument is None for argument, _ in self._by_argument)
        self._operation_id = str(operation.definition.get("operationId", ""))
        self._uses_connexion = operation.uses_connexion
        self.arguments = frozenset(argument for argument, _ in self._by_argument if argument is not None)

    def fault(self, handler: Callable[..., object]) -> str | None:
        """Return why this code could not run around the handler, if that is so."""
        if not self._by_argument:
            return None
        capability = self._by_argument[0][1]
        name = capability.header or type(capability).__name__
        if self._uses_connexion:
            return f"plain Connexion does not run the capability {name}"
        if inspect.iscoroutinefunction(handler):
            return f"its handler is a coroutine function, and the capability {name} needs a plain one"
        return None

    def wanted(self, request: Request) -> bool:
        """Return whether one of the capabilities has work to do."""
        return self._always or not self.arguments.isdisjoint(request.arguments)

    def around(self, call: Call, request: Request) -> Call:
        """Return `call` with the code of those capabilities around it that have work to do."""
        request.operation_id = self._operation_id
        for argument, capability in self._by_argument:
            if argument is None:
                call = partial(capability.respond, None, request, call)
            elif argument in request.arguments:
                call = partial(capability.respond, request.arguments[argument], request, call)
        return call
