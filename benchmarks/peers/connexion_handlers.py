"""The handlers of both Connexion peers, by the operationIds of items.yaml."""

from connexion.exceptions import ProblemException

from benchmarks.peers import core


def _found(item: core.Item | None) -> core.Item:
    if item is None:
        raise ProblemException(status=404, title="Not Found", detail="There is no such item.")
    return item


def list_items(limit: int = 50) -> list[core.Item]:
    return core.list_items(limit)


def get_item(item_id: int) -> core.Item:
    return _found(core.get_item(item_id))


def create_item(body: core.Item) -> tuple[core.Item, int]:
    return core.create_item(body["name"], body.get("description")), 201


def update_item(item_id: int, body: core.Item) -> core.Item:
    return _found(core.update_item(item_id, body))
