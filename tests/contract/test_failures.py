"""What goes wrong: unforeseen exceptions and broken contracts are 500s that tell the log all and the client nothing."""

import gc
import logging
import re
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException

from app import create_app
from app.settings import Settings
from contract.problems import Problem
from db.engine import Database
from tests.support import UNFORESEEN, ContractClient, assert_problem

SECRET = "password=hunter2"  # noqa: S105  # what must not come out


def _fail(_database: Database) -> None:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unforeseen_exception_is_a_500_that_tells_nothing(
    client: ContractClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    """But the request id, with which the cause is found in the log."""
    monkeypatch.setattr(Database, "read", _fail)
    caplog.set_level(logging.ERROR)
    response = client.request(method, "/items", headers={"X-Request-Id": "find-me"})
    assert response.status_code == 500
    assert response.headers["X-Request-Id"] == "find-me"
    if method == "GET":
        assert_problem(response, 500, UNFORESEEN, request_id="find-me")
    (record,) = caplog.records
    assert record.getMessage() == f"Unexpected: RuntimeError('{SECRET}')"
    assert record.exc_info is not None


def test_the_next_request_after_an_unforeseen_exception_is_served(
    client: ContractClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One broken request breaks no other."""
    with monkeypatch.context() as patched:
        patched.setattr(Database, "read", _fail)
        assert client.get("/items").status_code == 500
    assert client.get("/items").status_code == 200


def test_a_made_request_id_is_in_the_500(client: ContractClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as in its header."""
    monkeypatch.setattr(Database, "read", _fail)
    response = client.get("/items")
    assert_problem(response, 500, UNFORESEEN, request_id=response.headers["X-Request-Id"])


def _problems() -> list[Exception]:
    return [one for one in gc.get_objects() if isinstance(one, Problem | HTTPException)]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/items/99"), ("DELETE", "/items/99"), ("GET", "/nothing"), ("GET", "/items?limit=0")],
    ids=["in a read", "in a write", "in Flask", "in the contract"],
)
def test_an_exception_that_has_become_a_response_leaves_memory(client: ContractClient, method: str, path: str) -> None:
    """At once: what its traceback refers to, such as the connection, does not stay until the next collection."""
    gc.collect()
    gc.disable()
    try:
        before = _problems()
        assert client.request(method, path).status_code in (400, 404)
        assert _problems() == before
    finally:
        gc.enable()


ITEM = {
    "id": 1,
    "name": "x",
    "description": None,
    "created_at": "2026-11-23T09:30:00.000000Z",
    "updated_at": "2026-11-23T09:30:00.000000Z",
}
ETAG = {"ETag": '"1"'}
BROKEN: dict[str, tuple[Any, str]] = {
    "a property is missing": (
        ({name: ITEM[name] for name in ITEM if name != "updated_at"}, 200, ETAG),
        "/updated_at is required",
    ),
    "a property is too many": ((ITEM | {"version": 1}, 200, ETAG), "/version is not allowed here"),
    "values are wrong": ((ITEM | {"id": "1"}, 200, ETAG), "/id must be an integer"),
    "there is no body": ((None, 200, ETAG), ""),
    "it is an array": (([], 200, ETAG), "must be an object"),
    "it is not JSON": ((object(), 200, ETAG), ""),
    "a header is missing": ((ITEM, 200, {}), "etag"),
    "there are no headers": ((ITEM, 200), "etag"),
    "the status is unknown": ((ITEM, 299, ETAG), "299"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_handler_that_breaks_its_contract_is_a_500(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """The client learns nothing; the log says what, of which operation."""
    returned, said = BROKEN[kind]

    def get_item(item_id: int, **_headers: Any) -> Any:  # noqa: ARG001  # the contract's signature
        return returned

    monkeypatch.setattr("handlers.items.get_item", get_item)
    caplog.set_level(logging.ERROR)
    with ContractClient(create_app(settings)) as client:
        response = client.get("/items/1", headers={"X-Request-Id": "r"})
    assert_problem(response, 500, UNFORESEEN, request_id="r")
    (record,) = caplog.records
    assert said in record.getMessage().lower()


@pytest.mark.parametrize("kind", BROKEN)
def test_a_handler_that_kept_its_contract_before_is_watched_all_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Every response is validated, not only the first of its status."""
    kept = (ITEM, 200, ETAG)
    responses = iter([kept, kept, BROKEN[kind][0], kept])

    def get_item(item_id: int, **_headers: Any) -> Any:  # noqa: ARG001  # the contract's signature
        return next(responses)

    monkeypatch.setattr("handlers.items.get_item", get_item)
    with ContractClient(create_app(settings)) as client:
        assert [client.get("/items/1").status_code for _ in range(4)] == [200, 200, 500, 200]


@pytest.mark.parametrize("etag", ["1", 'W/"1"', ""])
def test_a_header_that_does_not_fit_is_a_500(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, etag: str
) -> None:
    """At the first response and after good ones."""
    bad, good = (ITEM, 200, {"ETag": etag}), (ITEM, 200, ETAG)
    responses = iter([bad, good, good, bad])

    def get_item(item_id: int, **_headers: Any) -> Any:  # noqa: ARG001  # the contract's signature
        return next(responses)

    monkeypatch.setattr("handlers.items.get_item", get_item)
    caplog.set_level(logging.ERROR)
    with ContractClient(create_app(settings)) as client:
        assert [client.get("/items/1").status_code for _ in range(4)] == [500, 200, 200, 500]
    said = "status 200: the header ETag has the value "
    assert [said in record.getMessage() for record in caplog.records] == [True, True]


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (Problem(503, "Not yet."), "problem 503: the header Retry-After is missing"),
        (
            Problem(503, "Not yet.", headers={"Retry-After": "soon"}),
            "problem 503: the header Retry-After has the value",
        ),
        (Problem(503, "", headers={"Retry-After": "7"}), "503: the body does not match its schema: /detail must have"),
    ],
    ids=["a header is missing", "a header is wrong", "its body"],
)
def test_a_problem_that_is_not_in_the_contract_is_a_500(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, problem: Problem, said: str
) -> None:
    """Problems are responses, too; the log says what is wrong with this one."""

    def get_readiness() -> Any:
        raise problem

    monkeypatch.setattr("handlers.health.get_readiness", get_readiness)
    caplog.set_level(logging.ERROR)
    with ContractClient(create_app(settings)) as client:
        assert_problem(client.get("/readyz", headers={"X-Request-Id": "r"}), 500, UNFORESEEN, request_id="r")
    (record,) = caplog.records
    assert said in record.getMessage()


def test_every_violation_of_a_broken_response_is_logged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By operation and pointer, so that one look is enough."""
    monkeypatch.setattr("handlers.health.get_liveness", lambda: {"status": "fine", "load": 1})
    caplog.set_level(logging.ERROR)
    with ContractClient(create_app(settings)) as client:
        assert client.get("/healthz").status_code == 500
    (message,) = (record.getMessage() for record in caplog.records)
    assert "get_liveness violates the contract: " in message
    assert "/status must be ok" in message
    assert "/load is not allowed here; allowed properties: status" in message


def test_a_problem_that_a_handler_raises_is_the_response(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Headers and all, without a word in the log."""

    def get_readiness() -> Any:
        raise Problem(503, "Not yet.", headers={"Retry-After": "7"})

    monkeypatch.setattr("handlers.health.get_readiness", get_readiness)
    caplog.set_level(logging.WARNING, logger="contract")
    with ContractClient(create_app(settings)) as client:
        assert_problem(client.get("/readyz"), 503, "Not yet.", headers={"Retry-After": "7"})
    assert [record for record in caplog.records if record.name.startswith("contract")] == []


def test_no_response_names_the_software(client: ContractClient) -> None:
    """Neither the framework nor a path of the machine."""
    texts = [client.get(path).text for path in ("/nowhere", "/items?limit=x", "/items/0")]
    assert [
        text
        for text in texts
        if re.search(r"connexion|flask|starlette|werkzeug|python|/work|\.py", text, re.IGNORECASE)
    ] == []
