"""OpenAPI Overlay 1.0: changes a contract by the actions of another document. A mistake is an error, never ignored.

https://spec.openapis.org/overlay/v1.0.0.html
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from contract.diagnostics import ContractError, Fault
from contract.spec.document import Document

_FIELDS = {"overlay", "info", "extends", "actions"}
_ACTION_FIELDS = {"target", "description", "update", "remove"}


def apply(document: Document, overlay: Any) -> dict[str, Any]:
    """Return the document with all actions applied, in their order. Raise `ContractError`."""
    _check(overlay)
    result = deepcopy(dict(document))
    for number, action in enumerate(overlay["actions"]):
        try:
            _apply(result, action)
        except ValueError as error:
            raise _error(f"actions/{number}: {error}") from None
    return result


def _check(overlay: Any) -> None:
    if not isinstance(overlay, Mapping) or not str(overlay.get("overlay", "")).startswith("1.0."):
        raise _error("it must begin with `overlay: 1.0.0`")
    if unknown := sorted(key for key in overlay.keys() - _FIELDS if not str(key).startswith("x-")):
        raise _error(f"it has no field `{unknown[0]}`")
    info = overlay.get("info")
    if not isinstance(info, Mapping) or not {"title", "version"} <= info.keys():
        raise _error("`info` must have a title and a version")
    if not isinstance(overlay.get("actions"), list) or not overlay["actions"]:
        raise _error("`actions` must be a list, and not empty")


def _apply(document: dict[str, Any], action: Any) -> None:
    import jsonpath  # only a start with an overlay needs it

    if not isinstance(action, Mapping) or not isinstance(action.get("target"), str):
        raise ValueError("an action must have a `target`")  # noqa: TRY004 -- it becomes a fault of the overlay
    if unknown := sorted(key for key in action.keys() - _ACTION_FIELDS if not str(key).startswith("x-")):
        raise ValueError(f"an action has no field `{unknown[0]}`")
    removes = action.get("remove", False)
    if removes == ("update" in action):
        raise ValueError("an action must have either `update` or `remove: true`")
    target = action["target"]
    try:
        selected = list(jsonpath.finditer(target, document))
    except jsonpath.JSONPathError as error:
        raise ValueError(f"`{target}` is not a JSONPath (RFC 9535): {error}") from None
    if not selected:
        raise ValueError(f"`{target}` selects nothing")
    # The last one first, so that the positions of a list stay right.
    for match in reversed(selected):
        if removes:
            _remove(match, target)
        else:
            _update(match.value, deepcopy(action["update"]), target)


def _remove(match: Any, target: str) -> None:
    if match.parent is None:
        raise ValueError(f"`{target}` would remove the whole document")
    del match.parent.value[match.parts[-1]]


def _update(selected: Any, update: Any, target: str) -> None:
    if isinstance(selected, list):
        selected.append(update)
    elif isinstance(selected, dict) and isinstance(update, Mapping):
        _merge(selected, update)
    else:
        raise ValueError(  # noqa: TRY004 -- it becomes a fault of the overlay
            f"`{target}` selects a value that is no object and no list, or the update is no object"
        )


def _merge(into: dict[str, Any], update: Mapping[str, Any]) -> None:
    """Merge recursively: objects are merged, lists are concatenated, everything else is replaced."""
    for key, value in update.items():
        present = into.get(key)
        if isinstance(present, dict) and isinstance(value, Mapping):
            _merge(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            present.extend(value)
        else:
            into[key] = value


def _error(message: str) -> ContractError:
    return ContractError("The overlay cannot be applied:", [Fault(message)])
