"""Operations with the tag `names`: each responses what it was given, by the names that it knows."""

from typing import Any

Echo = dict[str, Any]


def get_named(
    item_id: int,
    node_id: str,
    page_size: int,
    format_: str,
    *,
    filter_: str | None = None,
    class_: str | None = None,
    half_open: bool | None = None,
    sort_keys_first_one: list[str] | None = None,
    x_request_kind: str | None = None,
    id_: int | None = None,
) -> Echo:
    """By Python's names."""
    return locals()


def post_named(
    item_id: int,
    node_id: str,
    page_size: int,
    format_: str,
    new_item: dict[str, Any],
    *,
    filter_: str | None = None,
    class_: str | None = None,
    half_open: bool | None = None,
    sort_keys_first_one: list[str] | None = None,
    x_request_kind: str | None = None,
    id_: int | None = None,
) -> Echo:
    """With a body, whose properties keep their names."""
    return locals()


def get_all(**arguments: Any) -> Echo:
    """Whatever comes, in whatever order."""
    return dict(sorted(arguments.items()))
