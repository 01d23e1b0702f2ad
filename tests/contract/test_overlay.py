"""Overlays: actions change a document in their order (OpenAPI Overlay 1.0), and a mistake is never ignored."""

from typing import Any

import pytest

from contract import ContractError
from contract.overlay import apply

DOCUMENT = {
    "info": {"title": "A"},
    "tags": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
    "paths": {"/a": {"get": {}}, "/b": {"put": {}}},
}


def overlay(*actions: Any) -> dict[str, Any]:
    """An overlay with these actions."""
    return {"overlay": "1.0.0", "info": {"title": "T", "version": "1"}, "actions": list(actions)}


def changed(*actions: Any) -> dict[str, Any]:
    """The document, changed."""
    return apply(DOCUMENT, overlay(*actions))


def test_an_update_is_merged() -> None:
    """Objects recursively, lists by concatenation; everything else is replaced."""
    update = {"info": {"title": "B", "version": "2"}, "tags": [{"name": "d"}], "x": [1]}
    result = changed({"target": "$", "update": update})
    assert result["info"] == {"title": "B", "version": "2"}
    assert [tag["name"] for tag in result["tags"]] == ["a", "b", "c", "d"]
    assert result["x"] == [1]


def test_an_update_of_a_list_adds_an_element() -> None:
    """At its end."""
    assert changed({"target": "$.tags", "update": {"name": "d"}})["tags"][-1] == {"name": "d"}


def test_every_selected_value_gets_its_own_copy() -> None:
    """A later action can change one of them."""
    result = changed(
        {"target": "$.paths.*.*", "update": {"x": [1]}},
        {"target": "$.paths['/a'].get", "update": {"x": [2]}},
    )
    assert result["paths"] == {"/a": {"get": {"x": [1, 2]}}, "/b": {"put": {"x": [1]}}}


def test_values_are_removed() -> None:
    """From objects, and from lists, whose positions stay right meanwhile."""
    assert changed({"target": "$.tags[?@.name != 'b']", "remove": True})["tags"] == [{"name": "b"}]
    assert changed({"target": "$.paths.*.get", "remove": True})["paths"] == {"/a": {}, "/b": {"put": {}}}


def test_the_document_itself_stays_as_it_is() -> None:
    """The result is another one."""
    before = repr(DOCUMENT)
    changed({"target": "$.paths.*.*", "update": {"x": [1]}}, {"target": "$.tags", "remove": True})
    assert repr(DOCUMENT) == before


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"target": "$.paths.*.post", "update": {}}, "`$.paths.*.post` selects nothing"),
        ({"target": "$.paths[", "update": {}}, "`$.paths[` is not a JSONPath"),
        ({"target": "$.info.title", "update": {}}, "selects a value that is no object and no list"),
        ({"target": "$.info", "update": 1}, "or the update is no object"),
        ({"target": "$.info"}, "must have either `update` or `remove: true`"),
        ({"target": "$.info", "update": {}, "remove": True}, "must have either `update` or `remove: true`"),
        ({"target": "$", "remove": True}, "would remove the whole document"),
        ({"update": {}}, "an action must have a `target`"),
        ({"target": "$.info", "updates": {}}, "an action has no field `updates`"),
        ("x", "an action must have a `target`"),
    ],
)
def test_a_mistake_in_an_action_is_an_error(action: Any, message: str) -> None:
    """With the number of the action."""
    with pytest.raises(ContractError) as caught:
        changed({"target": "$", "update": {}}, action)
    assert "actions/1: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "it must begin with `overlay: 1.0.0`"),
        ({**overlay(1), "overlay": "2.0.0"}, "it must begin with `overlay: 1.0.0`"),
        ({**overlay(1), "action": []}, "it has no field `action`"),
        ({**overlay(1), "info": {}}, "`info` must have a title and a version"),
        (overlay(), "`actions` must be a list, and not empty"),
    ],
)
def test_a_mistake_in_an_overlay_is_an_error(document: Any, message: str) -> None:
    """Extensions are allowed everywhere."""
    with pytest.raises(ContractError) as caught:
        apply(DOCUMENT, document)
    assert message in str(caught.value)
    assert apply(DOCUMENT, {**overlay({"target": "$", "update": {}, "x-a": 1}), "x-b": 1}) == DOCUMENT
