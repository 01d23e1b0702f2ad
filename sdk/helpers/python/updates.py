"""Updates a resource without losing the changes of others."""

import random
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Protocol, TypeVar

import anyio

from ..client import AuthenticatedClient, Client
from ..models.problem import Problem
from ..types import Response
from .problems import result

AnyClient = AuthenticatedClient | Client
Id = TypeVar("Id")
Id_contra = TypeVar("Id_contra", contravariant=True)
Entity = TypeVar("Entity")
Change = TypeVar("Change")
Change_contra = TypeVar("Change_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)
_LONGEST_WAIT = 1.0


class Get(Protocol[Id_contra, Result_co]):
    """An operation that gets one resource, such as `get_item.sync_detailed`."""

    def __call__(self, id_: Id_contra, /, *, client: AnyClient) -> Result_co:
        """Get it."""


class Update(Protocol[Id_contra, Change_contra, Result_co]):
    """An operation that changes one resource, such as `update_item.sync_detailed`."""

    def __call__(self, id_: Id_contra, /, *, client: AnyClient, body: Change_contra, if_match: str) -> Result_co:
        """Change it."""


def update_safely(
    id_: Id,
    change: Callable[[Entity], Change | None],
    *,
    get: Get[Id, Response[Entity | Problem]],
    update: Update[Id, Change, Response[Entity | Problem]],
    client: AnyClient,
    attempts: int = 10,
) -> Entity:
    """Get the resource, and send what `change` returns for it; do both again if it has changed in between (412).

    If `change` returns None, nothing is sent. Return the stored resource. Raise `ProblemError` for any other error
    response, and for the 412 of the last attempt (RFC 9110 §13.1.1).
    """
    for attempt in range(1, attempts + 1):
        current = get(id_, client=client)
        entity = result(current)
        body = change(entity)
        if body is None:
            return entity
        response = update(id_, client=client, body=body, if_match=current.headers["ETag"])
        if response.status_code != HTTPStatus.PRECONDITION_FAILED or attempt == attempts:
            return result(response)
        time.sleep(_wait(attempt))
    raise ValueError("attempts must be at least 1")


async def update_safely_async(
    id_: Id,
    change: Callable[[Entity], Change | None],
    *,
    get: Get[Id, Awaitable[Response[Entity | Problem]]],
    update: Update[Id, Change, Awaitable[Response[Entity | Problem]]],
    client: AnyClient,
    attempts: int = 10,
) -> Entity:
    """Do what `update_safely` does, with operations such as `get_item.asyncio_detailed`."""
    for attempt in range(1, attempts + 1):
        current = await get(id_, client=client)
        entity = result(current)
        body = change(entity)
        if body is None:
            return entity
        response = await update(id_, client=client, body=body, if_match=current.headers["ETag"])
        if response.status_code != HTTPStatus.PRECONDITION_FAILED or attempt == attempts:
            return result(response)
        await anyio.sleep(_wait(attempt))
    raise ValueError("attempts must be at least 1")


def _wait(attempt: int) -> float:
    """Return a random wait, so that clients that change the same resource do not stay in step. Seconds."""
    return random.uniform(0, min(_LONGEST_WAIT, 0.01 * 2**attempt))
