"""`openapi/secured.overlay.yaml`: the contract with `ACCESS=secured` is valid, and covers new resources."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator

import contract
from app import create_app
from app.settings import Settings
from app.specification import SECURED, load, secure
from contract import overlay
from tests.app.test_keys import create
from tests.support import ContractClient, specification

DOCUMENT = dict(load(secured=True))
OPEN = ("/healthz", "/readyz")
METHODS = ("get", "head", "options", "trace", "post", "put", "patch", "delete")


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Every path, method and operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def test_it_is_valid_openapi() -> None:
    """By another validator than the service's own."""
    OpenAPIV30SpecValidator(DOCUMENT).validate()


def test_what_the_overlay_adds_is_used() -> None:
    """Headers, responses and examples."""
    text = yaml.safe_dump(DOCUMENT)
    added = overlay.apply({"paths": specification()["paths"]}, _first_action())["components"]
    names = [f"#/components/{kind}/{name}" for kind in ("headers", "responses", "examples") for name in added[kind]]
    assert [name for name in names if name not in text] == []
    assert added["securitySchemes"].keys() == {name for each in DOCUMENT["security"] for name in each}


def _first_action() -> Any:
    document = yaml.safe_load(SECURED.read_bytes())
    return {**document, "actions": document["actions"][:1]}


def test_operations_of_a_new_resource_are_secured_without_an_edit() -> None:
    """Whatever their methods are: the wildcards match them."""
    plain: dict[str, Any] = {**specification()}
    responses = {"400": {"$ref": "#/components/responses/BadRequest"}}
    item = {method: {"operationId": f"{method}_tag", "responses": dict(responses)} for method in METHODS}
    plain["paths"] = {**plain["paths"], "/tags": {"parameters": [], **item}}
    secured = overlay.apply(plain, yaml.safe_load(SECURED.read_bytes()))
    for path, method, operation in operations(secured):
        scope = "items:read" if method in METHODS[:4] else "items:write"
        scope = "audit:read" if path == "/audit-log" else scope
        assert operation.get("x-required-scopes") == (None if path in OPEN else [scope]), (path, method)
        assert operation.get("security", secured["security"]) == ([] if path in OPEN else secured["security"])
        assert {"401", "403"} <= operation["responses"].keys() or path in OPEN


def test_operations_behind_a_reference_are_secured(tmp_path: Path) -> None:
    """A path item in a file of its own: without the scope, a key that may only read could write."""
    plain: dict[str, Any] = yaml.safe_load(yaml.safe_dump({**specification()}))
    item = plain["paths"].pop("/items/{item_id}")
    plain["paths"]["/items/{item_id}"] = {"$ref": "item.yaml"}
    (tmp_path / "item.yaml").write_text(yaml.safe_dump(item).replace("'#/", "'items.yaml#/"), "utf-8")
    (tmp_path / "items.yaml").write_text(yaml.safe_dump(plain), "utf-8")
    secured = secure(contract.load(tmp_path / "items.yaml"))
    found = {m: each["x-required-scopes"] for path, m, each in operations(secured) if path == "/items/{item_id}"}
    write = ["items:write"]
    assert found == {"get": ["items:read"], "put": write, "patch": write, "delete": write}


@pytest.mark.parametrize("name", ["MissingCredential", "InvalidCredential", "MissingScope"])
def test_the_examples_are_what_the_service_sends(tmp_path: Path, settings: Settings, name: str) -> None:
    """Word for word."""
    secured = replace(settings, access="secured", keys_secret_file=tmp_path / "keys.secret")
    application = create_app(secured)
    key = {"InvalidCredential": "wrong", "MissingScope": create(application, "reader", "items:read")}.get(name)
    with ContractClient(application) as client:
        headers = {} if key is None else {"X-API-Key": key}
        response = client.post("/items", json={"name": "Lamp"}, headers=headers)
    assert response.json() == DOCUMENT["components"]["examples"][name]["value"]
    documented = DOCUMENT["components"]["headers"]["WWW-Authenticate"]
    assert len(response.headers["WWW-Authenticate"]) <= documented["schema"]["maxLength"]
    if key is None:
        assert response.headers["WWW-Authenticate"] == 'ApiKey realm="Items", header="X-API-Key", Bearer realm="Items"'
