"""The handlers of `pets.yaml`. The store is the application's."""

from typing import Any

from flask import current_app

from contract.problems import Problem


def _store() -> dict[str, dict[str, Any]]:
    store: dict[str, dict[str, Any]] = current_app.extensions.setdefault("store", {})
    return store


def list_pets(limit: int, tag: str | None = None) -> Any:
    """Of one kind, or all."""
    pets = [pet for pet in _store().values() if tag in (None, pet["tag"])]
    return pets[:limit], 200, {"X-Total": str(len(pets))}


def get_pet(pet_id: str) -> Any:
    """No credentials are needed."""
    if pet_id not in _store():
        raise Problem(404, f"There is no pet {pet_id}.")
    return _store()[pet_id]


def put_pet(pet_id: str, pet: dict[str, Any], user: str) -> Any:
    """`pet` is what `x-body-name` calls the body."""
    is_new = pet_id not in _store()
    _store()[pet_id] = kept = {"id": pet_id, **{name: value for name, value in pet.items() if name != "pin"}}
    return (kept, 201, {"Location": f"/store/v2/pets/{pet_id}#{user}"}) if is_new else kept


def delete_pet(pet_id: str, token_info: dict[str, Any]) -> Any:
    """Two schemes at once: `token_info` has what each found."""
    if token_info != {"key": {"sub": "keeper"}, "bearer": {"uid": "ann"}}:
        raise Problem(403, f"Not with {sorted(token_info)}.")
    _store().pop(pet_id, None)
    return None, 204


def visit(user: str | None = None) -> Any:
    """Named or not."""
    return {"user": user}


def tickets(user: str) -> Any:
    """With a key in the query."""
    return {"user": user}


def biscuits(user: str) -> Any:
    """With a key in a cookie."""
    return {"user": user}
