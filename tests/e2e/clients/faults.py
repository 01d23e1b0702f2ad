"""Creates, updates, replaces and deletes items with the Python client and its helpers.

Prints what was acknowledged. Arguments: the URL, a name, how many operations, the ids of counters, `sync` or `async`.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Protocol

from items_client import Client
from items_client.api.items import create_item, delete_item, get_item, list_items, replace_item, update_item
from items_client.helpers import Retry, RetryTransport, each, each_async, result, update_safely, update_safely_async
from items_client.models import Item, ItemPatch, NewItem

RETRY = Retry(attempts=40, total=300, timeout=3, base=0.005, longest=0.05)
KINDS = (
    "create",
    "increment",
    "create",
    "increment",
    "replace",
    "create",
    "increment",
    "create",
    "delete",
    "increment",
)
REPLACED = "replaced"


@dataclass
class Done:
    """What the service has acknowledged: names of items, and the id of a counter for each increment."""

    created: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    incremented: list[int] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)


def increment(item: Item) -> ItemPatch:
    """Return the change that adds 1."""
    return ItemPatch(description=str(int(item.description or "0") + 1))


class Operations(Protocol):
    """The operations of either client."""

    async def create(self, name: str) -> Item:
        """Create an item."""

    async def increment(self, counter: int) -> Item:
        """Add 1 to a counter, which others change at the same time."""

    async def replace(self, item: Item) -> Item:
        """Set the description."""

    async def delete(self, item: Item) -> int:
        """Return the status."""

    async def names(self) -> list[str]:
        """Return the names of all items."""


@dataclass
class Sync:
    """The synchronous client."""

    client: Client

    async def create(self, name: str) -> Item:
        """Create an item."""
        return result(create_item.sync_detailed(client=self.client, body=NewItem(name=name)))

    async def increment(self, counter: int) -> Item:
        """Add 1 to a counter."""
        get, update = get_item.sync_detailed, update_item.sync_detailed
        return update_safely(counter, increment, get=get, update=update, client=self.client, attempts=1000)

    async def replace(self, item: Item) -> Item:
        """Set the description."""
        body = NewItem(name=item.name, description=REPLACED)
        return result(replace_item.sync_detailed(item.id, client=self.client, body=body))

    async def delete(self, item: Item) -> int:
        """Return the status."""
        return delete_item.sync_detailed(item.id, client=self.client).status_code.value

    async def names(self) -> list[str]:
        """Return the names of all items."""
        return [item.name for item in each(list_items.sync_detailed, client=self.client, limit=100)]


@dataclass
class Async:
    """The asynchronous client."""

    client: Client

    async def create(self, name: str) -> Item:
        """Create an item."""
        return result(await create_item.asyncio_detailed(client=self.client, body=NewItem(name=name)))

    async def increment(self, counter: int) -> Item:
        """Add 1 to a counter."""
        get, update = get_item.asyncio_detailed, update_item.asyncio_detailed
        return await update_safely_async(counter, increment, get=get, update=update, client=self.client, attempts=1000)

    async def replace(self, item: Item) -> Item:
        """Set the description."""
        body = NewItem(name=item.name, description=REPLACED)
        return result(await replace_item.asyncio_detailed(item.id, client=self.client, body=body))

    async def delete(self, item: Item) -> int:
        """Return the status."""
        return (await delete_item.asyncio_detailed(item.id, client=self.client)).status_code.value

    async def names(self) -> list[str]:
        """Return the names of all items."""
        return [item.name async for item in each_async(list_items.asyncio_detailed, client=self.client, limit=100)]


async def work(operations: Operations, name: str, count: int, counters: list[int], done: Done) -> None:
    """Do the operations one after the other."""
    items: list[Item] = []
    for number in range(count):
        match KINDS[number % len(KINDS)]:
            case "create":
                items.append(await operations.create(f"{name} {number}"))
                done.created.append(items[-1].name)
            case "increment":
                counter = counters[number % len(counters)]
                await operations.increment(counter)
                done.incremented.append(counter)
            case "replace":
                await operations.replace(items[-1])
                done.replaced.append(items[-1].name)
            case _:
                item = items.pop()
                assert await operations.delete(item) in {204, 404}  # 404: the first of two attempts has deleted it
                done.deleted.append(item.name)


async def main() -> None:
    """Run four workers of the asynchronous client, or one of the synchronous client."""
    url, name, count, counters, mode = sys.argv[1:]
    done, ids = Done(), [int(text) for text in counters.split(",")]
    client = Client(base_url=url, httpx_args={"transport": RetryTransport(RETRY)})
    operations: Operations = Sync(client) if mode == "sync" else Async(client)
    workers = 1 if mode == "sync" else 4
    await asyncio.gather(
        *(work(operations, f"{name}{worker}", int(count) // workers, ids, done) for worker in range(workers))
    )
    done.listed = await operations.names()
    print(json.dumps(asdict(done)))


asyncio.run(main())
