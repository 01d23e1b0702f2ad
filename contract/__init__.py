"""The contract engine: reads an OpenAPI document at start, and enforces it on every request and response.

A library for Connexion 3 applications. `install()` is its front door; handlers raise `contract.problems.Problem`.
"""

from contract.diagnostics import ContractError
from contract.flask_internals import application
from contract.installation import install
from contract.serving.access import Principal, RejectedError, Verifier, principal
from contract.serving.capabilities import Call, Capability
from contract.serving.compiler import Around
from contract.serving.exceptions import ErrorMap
from contract.serving.limits import Count, Limiter
from contract.serving.request import Interceptor, Proceed, Request
from contract.spec.limits import RateLimit
from contract.spec.loading import Contract, load

__all__ = [
    "Around",
    "Call",
    "Capability",
    "Contract",
    "ContractError",
    "Count",
    "ErrorMap",
    "Interceptor",
    "Limiter",
    "Principal",
    "Proceed",
    "RateLimit",
    "RejectedError",
    "Request",
    "Verifier",
    "application",
    "install",
    "load",
    "principal",
]
