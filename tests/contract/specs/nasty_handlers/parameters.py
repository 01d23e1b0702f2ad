"""Operations with the tag `parameters`: each responses what it was given."""

from typing import Any

Echo = dict[str, Any]


def get_arrays(
    *,
    form: Any = None,
    joined: Any = None,
    spaced: Any = None,
    piped: Any = None,
    x_numbers: Any = None,
    x_words: Any = None,
    fruits: Any = None,
) -> Echo:
    """All that were given."""
    return {name: value for name, value in locals().items() if value is not None}


def get_piped(ids: Any = None) -> Echo:
    """Stock's alone."""
    return {"ids": ids}


def get_cookie(ids: Any = None) -> Echo:
    """Stock's alone."""
    return {"ids": ids}


def get_deep(filter: Any) -> Echo:  # noqa: A002  # the contract's name
    """Stock's alone."""
    return {"filter": filter}


def get_typeless(any: Any = None) -> Echo:  # noqa: A002  # the contract's name
    """A text by its `enum` alone."""
    return {"any": any}


def get_composed(size: Any = None) -> Echo:
    """A type in an `allOf`."""
    return {"size": size}


def get_defaults(
    words: list[str], size: int, x_mode: str, theme: str, *, off: bool, maybe: Any = 1, shade: Any = "-"
) -> Echo:
    """Spoils its arguments, as a handler may."""
    given = {**locals(), "words": [*words]}
    words.append("spoiled")
    return given


def get_required(x_count: int, session: str, filter_name: str, halfopen: float) -> Echo:
    """One from everywhere."""
    return locals()


def get_any(**arguments: Any) -> Echo:
    """Whatever comes."""
    return arguments


def get_pair(left: int, right: list[int], ext: str) -> Echo:
    """Three in one segment."""
    return locals()


def get_dashed(node_id: int) -> Echo:
    """As Connexion names it."""
    return {"node_id": node_id}


def get_file(name: str) -> Echo:
    """Any."""
    return {"file": name}


def delete_file(name: str) -> Echo:
    """Any."""
    return {"deleted": name}


def get_index() -> Echo:
    """The one that is fixed."""
    return {"index": True}


def get_json_file(name: str) -> Echo:
    """The more specific template."""
    return {"json": name}
