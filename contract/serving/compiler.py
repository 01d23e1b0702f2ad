"""Compiles a contract: every operation, once, when the service starts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contract import connexion_internals
from contract.media_types import Accept
from contract.requests.bodies import Body
from contract.requests.parameters import Parameters
from contract.responses.encoder import Encoder
from contract.serving.forwarding import ForwardedOperation
from contract.serving.operation import CompiledOperation, Parts, Runtime
from contract.serving.request import Interceptor, Target
from contract.spec.document import ContractError, Document, Uncompilable
from contract.spec.operations import Operation, Route
from contract.spec.schemas import Schemas

Handler = Callable[..., Any]
Around = Callable[[Operation], Interceptor | None]
"""Called once for each operation, when it is compiled: returns the code around it, or None for none."""
_ADVICE = "fix the contract, or leave an operation to plain Connexion with x-pipeline: connexion"


class Compiler:
    """Compiles the operations of one contract; they share its schemas."""

    def __init__(
        self,
        document: Document,
        runtime: Runtime,
        *,
        enforce: bool,
        around: Sequence[Around] = (),
        security_map: Any = None,
    ) -> None:
        self._document = document
        self._runtime = runtime
        self._enforce = enforce
        self._around = around
        self._security_map = security_map
        self._requests = Schemas(document, response=False)
        self._responses = Schemas(document, response=True)
        self.forwarded: list[ForwardedOperation] = []

    def compile(
        self, routes: Sequence[Route], handlers: Mapping[str, Handler]
    ) -> list[tuple[Route, dict[str, Target]]]:
        """Return the targets of every route. Raise `ContractError` that lists every operation that does not compile."""
        faults: list[str] = []
        compiled: list[tuple[Route, dict[str, Target]]] = []
        for route in routes:
            targets: dict[str, Target] = {}
            for method, operation in route.operations.items():
                try:
                    targets[method] = self._target(operation, route, handlers[operation.operation_id])
                except Uncompilable as reason:
                    faults.append(f"{operation}: {reason}")
                except Exception as error:  # noqa: BLE001 -- whatever it is, the start names the operation
                    faults.append(f"{operation}: {type(error).__name__}: {error}")
            compiled.append((route, targets))
        if faults:
            raise ContractError.listing(f"These operations cannot be compiled; {_ADVICE}:", faults)
        return compiled

    def _target(self, operation: Operation, route: Route, handler: Handler) -> Target:
        if operation.fault is not None:
            raise Uncompilable(operation.fault)
        interceptors = [code for make in self._around if (code := make(operation)) is not None]
        if operation.uses_connexion:
            forwarded = ForwardedOperation(operation, frozenset(route.operations), interceptors)
            self.forwarded.append(forwarded)
            return forwarded
        return CompiledOperation(handler, self._parts(operation, route, handler), self._runtime, interceptors)

    def _parts(self, operation: Operation, route: Route, handler: Handler) -> Parts:
        connexion_operation = connexion_internals.context_operation(operation, self._document, handler)
        return Parts(
            parameters=Parameters(
                operation,
                self._document,
                self._requests,
                path=route.path_parameters,
                queries=connexion_internals.security_queries(connexion_operation),
            ),
            body=Body(operation, self._document, self._requests) if operation.request_body else None,
            encoder=Encoder(operation, self._document, self._responses, enforce=self._enforce),
            accept=Accept(operation.response_media_types),
            connexion_operation=connexion_operation,
            authenticate=connexion_internals.authentication(connexion_operation, self._security_map),
        )
