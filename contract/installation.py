"""The front door: installs a contract into a Connexion application."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from connexion import FlaskApp
from starlette.types import ASGIApp

from contract import connexion_internals, flask_internals
from contract.serving import guards
from contract.serving.access import OnAuthentication, Verifiers
from contract.serving.capabilities import Capability
from contract.serving.compiler import Around, Compiler, Extensions
from contract.serving.exceptions import ErrorMap, Exceptions
from contract.serving.forwarding import guarded
from contract.serving.limits import Limiter
from contract.serving.middleware import ContractMiddleware
from contract.serving.operation import Run, Runtime
from contract.serving.request import Target
from contract.serving.routing import Router
from contract.spec.document import Document
from contract.spec.loading import Contract, load
from contract.spec.operations import DEFAULT_BODY_LIMIT, Operation, Route, base_path, routes
from contract.spec.resolver import resolve_handlers
from contract.violations import OnViolation, ignore

Handler = Callable[..., Any]
Outside = Callable[[ASGIApp], ASGIApp]


def install(  # noqa: PLR0913 -- each is a decision of the application
    application: FlaskApp,
    contract: Path | Document,
    handlers: str,
    *,
    errors: ErrorMap | None = None,
    run: Run | None = None,
    run_unsafe: Run | None = None,
    enforce: bool = True,
    around: Sequence[Around] = (),
    capabilities: Sequence[Capability] = (),
    limiter: Limiter | None = None,
    problem_types: Mapping[int, str] | None = None,
    verifiers: Verifiers | None = None,
    outside: Outside | None = None,
    on_violation: OnViolation = ignore,
    on_authentication: OnAuthentication = ignore,
    connexion_options: Mapping[str, Any] | None = None,
) -> None:
    """Serve a contract: compile it, check the handlers, build the middlewares. Call it last. Raise `ContractError`.

    `contract` is a file, a document, or what `load()` returns; `handlers` the package with a module for each tag.
    `errors` says which exceptions have a problem of their own, `problem_types` which statuses have a page (its path).
    Plain handlers are called by `run`, those of unsafe methods (RFC 9110 §9.2.1) by `run_unsafe`; without them, on the
    event loop. Without `enforce`, a response that violates the contract is logged and sent. `around` is code around
    operations, `capabilities` around handlers, `outside` around everything. `verifiers` verify credentials, by scheme;
    `limiter` counts requests, `on_violation` and `on_authentication` for metrics; `connexion_options` are Connexion's.
    """
    guards.check(application)
    options = {"pythonic_params": False, "security_map": None, **(connexion_options or {})}
    document = contract if isinstance(contract, Contract) else load(contract)
    found = routes(document, base_path(document), pythonic=options["pythonic_params"])
    extensions = Extensions(around, capabilities, options["security_map"], verifiers or {}, limiter, on_authentication)
    exceptions = Exceptions(errors or {}, problem_types or {}, on_violation)
    runtime = _runtime(application, document, exceptions, run, run_unsafe or run)
    compiler = Compiler(document, runtime, extensions, enforce=enforce)
    functions, compiled = _compile(compiler, document, found, handlers, capabilities)
    _add_forwarded(application, _forwarded(document, found), functions, options)
    _build(application, _outermost(application, compiler, Router(compiled), runtime, outside))


def _build(application: FlaskApp, outermost: Callable[[ASGIApp], Any]) -> None:
    """Build the middlewares; nothing can be added after that."""
    flask_internals.prepare(application.app)
    connexion_internals.build_stack(application, outermost)
    guards.refuse_additions(application)


def _compile(
    compiler: Compiler,
    document: Contract,
    found: Sequence[Route],
    handlers: str,
    capabilities: Sequence[Capability],
) -> tuple[Mapping[str, Handler], list[tuple[Route, dict[str, Target]]]]:
    """Return the handlers by operationId, and the compiled routes. Raise `ContractError`."""
    headers = [capability.header for capability in capabilities if capability.header is not None]
    functions, faults = resolve_handlers(_operations(found), document, handlers, headers)
    compiled, uncompilable = compiler.compile(found, functions)
    if faults := [*faults, *uncompilable]:
        raise document.error("The contract and the handlers do not fit together:", faults)
    return functions, compiled


def _add_forwarded(
    application: FlaskApp,
    contract: dict[str, Any],
    functions: Mapping[str, Callable[..., Any]],
    options: dict[str, Any],
) -> None:
    if not contract["paths"]:
        return
    protected = {name: guarded(name, function) for name, function in functions.items()}
    connexion_internals.add_forwarded(application, contract, protected, **options)


def _operations(found: Sequence[Route]) -> list[Operation]:
    return [operation for route in found for operation in route.operations.values()]


def _runtime(
    application: FlaskApp, document: Document, exceptions: Exceptions, run: Run | None, run_unsafe: Run | None
) -> Runtime:
    context = flask_internals.handler_context(application.app)
    body_limit = document.get("x-body-limit", DEFAULT_BODY_LIMIT)
    return Runtime(context, run, run_unsafe, exceptions, body_limit)


def _outermost(
    application: FlaskApp, compiler: Compiler, router: Router, runtime: Runtime, outside: Outside | None
) -> Callable[[ASGIApp], ASGIApp]:
    """Return what makes the outermost middleware out of Connexion's."""

    def make(connexion: ASGIApp) -> ASGIApp:
        for operation in compiler.forwarded:
            operation.app = connexion
        served = ContractMiddleware(
            connexion,
            router=router,
            pages=connexion_internals.flask_asgi_app(application),
            exceptions=runtime.exceptions,
            body_limit=runtime.body_limit,
            check_start=lambda: guards.check_flask(application),
        )
        return served if outside is None else outside(served)

    return make


def _forwarded(document: Document, found: Sequence[Route]) -> dict[str, Any]:
    """Return the contract with the operations for Connexion only, in their order of precedence."""
    paths: dict[str, Any] = {}
    base = base_path(document)
    for route in found:
        path = route.path.removeprefix(base)
        methods = {
            op.method: document["paths"][path][op.method] for op in route.operations.values() if op.uses_connexion
        }
        if methods:
            shared = document["paths"][path].get("parameters")
            paths[path] = methods if shared is None else {"parameters": shared, **methods}
    return {**document, "paths": paths}
