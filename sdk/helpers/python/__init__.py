"""Helpers for every operation: safe retries, paging and safe updates."""

from .paging import each, each_async, pages, pages_async
from .problems import ProblemError, result
from .retries import Retry, RetryTransport
from .updates import update_safely, update_safely_async

__all__ = (
    "ProblemError",
    "Retry",
    "RetryTransport",
    "each",
    "each_async",
    "pages",
    "pages_async",
    "result",
    "update_safely",
    "update_safely_async",
)
