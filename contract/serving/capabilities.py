"""Capabilities: what the header of a request asks for beside the work of the handler, such as `Idempotency-Key`."""

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
    The code runs for requests that have the header.
    """

    @property
    def header(self) -> str:
        """The name of the header."""

    def respond(self, value: Any, request: Request, call: Call) -> Response:
        """Respond to a request whose header has this value. Raise `Problem`."""


class Capabilities:
    """The capabilities of one operation, the first one outermost."""

    def __init__(self, capabilities: Sequence[Capability], operation: Operation) -> None:
        declared = {p["name"].lower(): operation.argument(p) for p in operation.parameters if p["in"] == "header"}
        self._by_argument = [
            (declared[capability.header.lower()], capability)
            for capability in reversed(capabilities)
            if capability.header.lower() in declared
        ]
        self._operation_id = str(operation.definition.get("operationId", ""))
        self._uses_connexion = operation.uses_connexion
        self.arguments = frozenset(argument for argument, _ in self._by_argument)

    def fault(self, handler: Callable[..., object]) -> str | None:
        """Return why this code could not run around the handler, if that is so."""
        header = next((capability.header for _, capability in self._by_argument), None)
        if header is not None and self._uses_connexion:
            return f"plain Connexion does not run the capability {header}"
        if header is not None and inspect.iscoroutinefunction(handler):
            return f"its handler is a coroutine function, and the capability {header} needs a plain one"
        return None

    def wanted(self, request: Request) -> bool:
        """Return whether the request has one of the headers."""
        return not self.arguments.isdisjoint(request.arguments)

    def around(self, call: Call, request: Request) -> Call:
        """Return `call` with the code of those capabilities around it whose header the request has."""
        request.operation_id = self._operation_id
        for argument, capability in self._by_argument:
            if argument in request.arguments:
                call = partial(capability.respond, request.arguments[argument], request, call)
        return call
