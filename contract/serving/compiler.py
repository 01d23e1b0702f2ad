"""Compiles a contract: every operation, once, when the service starts."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from contract import connexion_internals
from contract.diagnostics import Fault
from contract.media_types import Accept
from contract.requests.bodies import Body
from contract.requests.parameters import Parameters
from contract.responses.encoder import Encoder
from contract.serving import retirement
from contract.serving.access import Guard, OnAuthentication, Verifiers
from contract.serving.capabilities import Capabilities, Capability
from contract.serving.forwarding import ForwardedOperation
from contract.serving.limits import Admit, Limiter, admission
from contract.serving.operation import CompiledOperation, Parts, Runtime
from contract.serving.request import Interceptor, Target
from contract.spec.document import Document, Uncompilable
from contract.spec.limits import FIELD, rate_limit
from contract.spec.operations import Operation, Route
from contract.spec.schemas import Schemas
from contract.spec.security import requirement
from contract.violations import ignore

Handler = Callable[..., Any]
Around = Callable[[Operation], Interceptor | None]
"""Called once for each operation, when it is compiled: returns the code around it, or None for none."""
_ADVICE = "change the contract, or leave the operation to plain Connexion with `x-pipeline: connexion`"


class Extensions(NamedTuple):
    """What an application adds to operations: code around them and their handlers, checks of credentials, counts."""

    around: Sequence[Around] = ()
    capabilities: Sequence[Capability] = ()
    security_map: Any = None
    verifiers: Verifiers = MappingProxyType({})
    limiter: Limiter | None = None
    on_authentication: OnAuthentication = ignore


class _Checks(NamedTuple):
    """What can refuse a request before it is read: the check of its credentials, and the count of its client."""

    guard: Guard | None
    admit: Admit | None


class Compiler:
    """Compiles the operations of one contract; they share its schemas."""

    def __init__(
        self,
        document: Document,
        runtime: Runtime,
        extensions: Extensions,
        *,
        enforce: bool,
    ) -> None:
        self._document = document
        self._runtime = runtime
        self._enforce = enforce
        self._extensions = extensions
        self._requests = Schemas(document, response=False)
        self._responses = Schemas(document, response=True)
        self.forwarded: list[ForwardedOperation] = []

    def compile(
        self, routes: Sequence[Route], handlers: Mapping[str, Handler]
    ) -> tuple[list[tuple[Route, dict[str, Target]]], list[Fault]]:
        """Return the targets of every route, and a fault for every operation that does not compile.

        Operations without a handler are left out.
        """
        faults: list[Fault] = []
        compiled: list[tuple[Route, dict[str, Target]]] = []
        for route in routes:
            targets: dict[str, Target] = {}
            for method, operation in route.operations.items():
                handler = handlers.get(operation.definition.get("operationId", ""))
                if handler is None:
                    continue
                try:
                    targets[method] = self._target(operation, route, handler)
                except Uncompilable as reason:
                    faults.append(Fault(f"{operation} cannot be compiled: {reason}", _ADVICE, operation.at, key=True))
                except Exception as error:  # noqa: BLE001 -- whatever it is, the start names the operation
                    reason_ = f"{type(error).__name__}: {error}"
                    faults.append(Fault(f"{operation} cannot be compiled: {reason_}", _ADVICE, operation.at, key=True))
            compiled.append((route, targets))
        return compiled, faults

    def _target(self, operation: Operation, route: Route, handler: Handler) -> Target:
        if operation.fault is not None:
            raise Uncompilable(operation.fault)
        makers = (retirement.around, *self._extensions.around)
        interceptors = [code for make in makers if (code := make(operation)) is not None]
        capabilities = Capabilities(self._extensions.capabilities, operation)
        if fault := capabilities.fault(handler):
            raise Uncompilable(fault)
        checks = _Checks(self._guard(operation), self._admission(operation))
        if operation.uses_connexion:
            forwarded = ForwardedOperation(operation, frozenset(route.operations), interceptors)
            self.forwarded.append(forwarded)
            return forwarded
        return CompiledOperation(
            handler, self._parts(operation, route, handler, capabilities, checks), self._runtime, interceptors
        )

    def _guard(self, operation: Operation) -> Guard | None:
        """Return what checks the credentials, where a verifier of the application does."""
        required = requirement(self._document, operation, self._extensions.verifiers)
        if required is None:
            return None
        extensions = self._extensions
        return Guard(required, extensions.verifiers, self._document["info"]["title"], extensions.on_authentication)

    def _admission(self, operation: Operation) -> Admit | None:
        """Return what counts the requests, where the contract limits them."""
        limit = rate_limit(self._document, operation.definition)
        if limit is None:
            return None
        if operation.uses_connexion:
            raise Uncompilable(f"plain Connexion does not enforce {FIELD}; `{FIELD}: false` stands for no limit")
        if self._extensions.limiter is None:
            raise Uncompilable(f"{FIELD} needs limiter=… in contract.install()")
        return admission(limit, self._extensions.limiter)

    def _parts(
        self, operation: Operation, route: Route, handler: Handler, capabilities: Capabilities, checks: _Checks
    ) -> Parts:
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
            encoder=Encoder(
                operation,
                self._document,
                self._responses,
                enforce=self._enforce,
                on_violation=self._runtime.exceptions.on_violation,
            ),
            accept=Accept(operation.response_media_types),
            connexion_operation=connexion_operation,
            guard=checks.guard,
            authenticate=None
            if checks.guard
            else connexion_internals.authentication(connexion_operation, self._extensions.security_map),
            is_safe=operation.is_safe,
            capabilities=capabilities,
            admit=checks.admit,
            operation_id=operation.operation_id,
        )
