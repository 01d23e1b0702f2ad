"""The front door: installs a contract into a Connexion application."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from connexion import FlaskApp
from starlette.types import ASGIApp

from contract import connexion_internals, flask_internals
from contract.serving import guards
from contract.serving.compiler import Around, Compiler
from contract.serving.exceptions import ErrorMap, Exceptions
from contract.serving.forwarding import guarded
from contract.serving.middleware import ContractMiddleware
from contract.serving.operation import Runtime
from contract.serving.routing import Router
from contract.spec.document import ContractError, Document, load
from contract.spec.handlers import find_handlers
from contract.spec.operations import DEFAULT_BODY_LIMIT, Route, base_path, routes


def install(
    application: FlaskApp,
    contract: Path | Document,
    handlers: str,
    *,
    errors: ErrorMap | None = None,
    executor: Executor | None = None,
    enforce: bool = True,
    around: Sequence[Around] = (),
    pythonic_params: bool = False,
    security_map: Any = None,
    connexion_options: Mapping[str, Any] | None = None,
) -> None:
    """Serve a contract: compile it, check the handlers, and build the middlewares. Call it last.

    `contract` is a file, or a document that is read already; `handlers` the package with a module for each tag.
    `errors` says which exceptions have a problem of their own. Handlers run on the event loop, or on the threads of
    `executor`. Without `enforce`, a response that violates the contract is logged and sent. `around` is code around
    operations. `pythonic_params` and `security_map` are Connexion's options; `connexion_options` are those for
    operations with `x-pipeline: connexion`.

    Raise `ContractError`, which lists everything that does not fit.
    """
    guards.check(application)
    document = load(contract)
    base = base_path(document)
    found = routes(document, base, pythonic=pythonic_params)
    functions, faults = find_handlers((op for route in found for op in route.operations.values()), document, handlers)
    if faults:
        raise ContractError.listing("The contract and the handlers disagree:", faults)
    exceptions = Exceptions(errors or {})
    context = flask_internals.handler_context(application.app)
    limit = document.get("x-body-limit", DEFAULT_BODY_LIMIT)
    runtime = Runtime(context, executor, exceptions, limit)
    compiler = Compiler(document, runtime, enforce=enforce, around=around, security_map=security_map)
    router = Router(compiler.compile(found, functions))
    if compiler.forwarded:
        options = {"pythonic_params": pythonic_params, "security_map": security_map, **(connexion_options or {})}
        protected = {name: guarded(name, function) for name, function in functions.items()}
        connexion_internals.add_forwarded(application, _forwarded(document, found, base), protected, **options)
    flask_internals.prepare(application.app)

    def outermost(connexion: ASGIApp) -> ContractMiddleware:
        for operation in compiler.forwarded:
            operation.app = connexion
        return ContractMiddleware(
            connexion,
            router=router,
            pages=connexion_internals.flask_asgi_app(application),
            exceptions=exceptions,
            body_limit=limit,
            check_start=lambda: guards.check_flask(application),
        )

    connexion_internals.build_stack(application, outermost)
    guards.refuse_additions(application)


def _forwarded(document: Document, found: Sequence[Route], base: str) -> dict[str, Any]:
    """Return the contract with the operations for Connexion only, in their order of precedence."""
    paths: dict[str, Any] = {}
    for route in found:
        path = route.path.removeprefix(base)
        methods = {
            op.method: document["paths"][path][op.method] for op in route.operations.values() if op.uses_connexion
        }
        if methods:
            shared = document["paths"][path].get("parameters")
            paths[path] = methods if shared is None else {"parameters": shared, **methods}
    return {**document, "paths": paths}
