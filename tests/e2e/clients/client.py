"""The generated Python client at work: does, and prints, what `test_sdk.py` expects of every client."""

import re
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from items_client import Client
from items_client.api.items import create_item, delete_item, get_item, list_items, replace_item, update_item
from items_client.models import Item, ItemPatch, ItemSort, NewItem, Problem
from items_client.types import UNSET, Response, Unset


def stored(answer: Response[Item | Problem]) -> str:
    """The status, the ETag and the item."""
    item = answer.parsed
    assert isinstance(item, Item), answer
    return f"{answer.status_code.value} {answer.headers['ETag']} {item.name}, {item.description or 'no description'}"


def refused(answer: Response[Problem] | Response[Item | Problem] | Response[list[Item] | Problem]) -> str:
    """The problem with its violations."""
    problem = answer.parsed
    assert isinstance(problem, Problem), answer
    assert problem.status == answer.status_code
    violations = [] if isinstance(problem.errors, Unset) else problem.errors
    places = [f"  {place.pointer or place.parameter or place.header} {place.detail}" for place in violations]
    return "\n".join([f"{problem.status} {problem.title}: {problem.detail}", *places])


def pages(client: Client) -> Iterator[list[Item]]:
    """Every page, newest item first: `Link` says where the next one begins."""
    cursor: str | Unset = UNSET
    while True:
        answer = list_items.sync_detailed(client=client, limit=100, sort=ItemSort.ID_DESCENDING, cursor=cursor)
        assert isinstance(answer.parsed, list), answer
        yield answer.parsed
        following = re.search(r'<([^>]*)>; rel="next"', answer.headers["Link"])
        if following is None:
            return
        (cursor,) = parse_qs(urlsplit(following[1]).query)["cursor"]


def main(address: str) -> None:
    """Create, read, replace, update and delete; be refused; read a thousand items page by page."""
    with Client(base_url=address) as client:
        answer = create_item.sync_detailed(client=client, body=NewItem(name="Desk lamp", description="Brass"))
        print("create_item:", answer.headers["Location"], stored(answer))
        print("get_item:", stored(get_item.sync_detailed(1, client=client)))
        print("get_item:", get_item.sync_detailed(1, client=client, if_none_match='"1"').status_code.value)
        chair = NewItem(name="Chair")
        print("replace_item:", stored(replace_item.sync_detailed(1, client=client, body=chair, if_match='"1"')))
        print("replace_item:", refused(replace_item.sync_detailed(1, client=client, body=chair, if_match='"1"')))
        oak = ItemPatch(description="Oak")
        print("update_item:", stored(update_item.sync_detailed(1, client=client, body=oak)))
        nothing = ItemPatch(description=None)
        print("update_item:", stored(update_item.sync_detailed(1, client=client, body=nothing)))
        print("delete_item:", delete_item.sync_detailed(1, client=client).status_code.value)
        print("delete_item:", refused(delete_item.sync_detailed(1, client=client)))
        print("get_item:", refused(get_item.sync_detailed(1, client=client)))
        wrong = NewItem(name="", description="\0")
        print("create_item:", refused(create_item.sync_detailed(client=client, body=wrong)))
        print("list_items:", refused(list_items.sync_detailed(client=client, limit=0)))
        large = NewItem(name="Desk lamp", description="x" * 65536)
        print("create_item:", refused(create_item.sync_detailed(client=client, body=large)))
        for number in range(1, 1001):
            create_item.sync(client=client, body=NewItem(name=f"Item {number}"))
        found = list(pages(client))
        items = [item for page in found for item in page]
        print(f"list_items: {len(found)} pages, {len(items)} items, {items[0].name} to {items[-1].name}")


main(sys.argv[1])
