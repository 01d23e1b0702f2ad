"""API keys: made on the command line, verified for every request, and refused within a second when they are revoked."""

import asyncio
import stat
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
import yaml
from click.testing import Result
from connexion import FlaskApp

from app import create_app
from app.access import attempts, keys
from app.settings import Settings
from app.shared_counts import SharedCounts
from contract import Request, principal
from contract.problems import Problem
from db import api_keys
from db.resources import Statements, timestamp
from handlers.database import EXTENSION
from tests.app.secured import secured_settings
from tests.support import ContractClient

READ, WRITE = "items:read", "items:write"
NEEDED = "This operation needs an API key in X-API-Key or a bearer token in Authorization."
CHALLENGES = 'ApiKey realm="Items", header="X-API-Key", Bearer realm="Items"'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with access control."""
    return Settings.from_environ(
        {
            "ACCESS": "secured",
            "DATABASE_URL": f"sqlite:///{tmp_path}/items.db",
            "KEYS_SECRET_FILE": f"{tmp_path}/keys.secret",
        }
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have passed for the caches and the counts of failures."""
    passed = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: passed[0])
    monkeypatch.setattr(time, "monotonic_ns", lambda: int(passed[0] * 1e9))
    return passed


def run(application: FlaskApp, *arguments: str) -> Result:
    """The result of `flask --app app keys …`."""
    result: Result = application.app.test_cli_runner().invoke(args=["keys", *arguments])
    return result


def create(application: FlaskApp, name: str = "alice", *scopes: str, **options: str) -> str:
    """A new key."""
    result = run(
        application,
        "create",
        name,
        *(f"--scope={scope}" for scope in scopes or (READ, WRITE)),
        *(f"--{option}={value}" for option, value in options.items()),
    )
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def as_(key: str) -> dict[str, str]:
    """The header of a request with a key."""
    return {"X-API-Key": key}


def test_a_key_admits_to_what_its_scopes_allow(client: ContractClient, application: FlaskApp) -> None:
    """A key that may only read gets 403 with the scope that it lacks."""
    reader, writer = create(application, "writer", READ), create(application, "writer")
    assert client.post("/items", json={"name": "Lamp"}, headers=as_(writer)).status_code == 201
    assert client.get("/items/1", headers=as_(reader)).status_code == 200
    refused = client.post("/items", json={"name": "Lamp"}, headers=as_(reader))
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "The credential does not have the scope items:write.",
    )
    assert 'error="insufficient_scope", scope="items:write"' in refused.headers["WWW-Authenticate"]


def test_without_a_key_only_health_and_the_documentation_are_served(client: ContractClient) -> None:
    """Every operation of the contract but the health checks asks for one."""
    for path in ("/healthz", "/readyz", "/openapi.json", "/openapi.yaml", "/ui/"):
        assert client.get(path).status_code == 200, path
    for method, path in (("GET", "/items"), ("POST", "/items"), ("GET", "/items/1"), ("DELETE", "/items/1")):
        response = client.request(method, path)
        assert (response.status_code, response.json()["detail"]) == (401, NEEDED)
        assert response.headers["WWW-Authenticate"] == CHALLENGES


@pytest.mark.parametrize(
    "wrong", ["", "x", "items_key_" + "A" * 43, "ITEMS_KEY_" + "A" * 43, "ü", "items_key_" + "A" * 5000]
)
def test_a_key_that_nobody_made_is_401(client: ContractClient, wrong: str) -> None:
    """Whatever it looks like."""
    response = client.get("/items", headers=[(b"X-API-Key", wrong.encode("latin-1"))])
    assert (response.status_code, response.json()["detail"]) == (401, "The API key is not valid.")


def test_a_key_has_256_random_bits_and_says_what_it_is(application: FlaskApp) -> None:
    """It is on standard output alone, so that a script can take it."""
    made = {create(application) for _ in range(3)}
    assert len(made) == 3
    assert all(key.startswith("items_key_") and len(key) == len("items_key_") + 43 for key in made)


def test_only_a_keyed_hash_is_stored(application: FlaskApp, tmp_path: Path, settings: Settings) -> None:
    """Neither the key nor its plain hash is in the database, and nobody else can read the secret."""
    key = create(application)
    stored = (tmp_path / "items.db").read_bytes()
    assert key.encode() not in stored
    assert sha256(key.encode()).digest() not in stored
    assert keys.digest(settings.keys_secret_file.read_bytes(), key) in stored
    assert stat.S_IMODE(settings.keys_secret_file.stat().st_mode) == 0o600


def test_another_secret_makes_all_keys_invalid(
    client: ContractClient, application: FlaskApp, settings: Settings
) -> None:
    """Who can write to the database, and does not have the secret, cannot add a key."""
    key = create(application)
    settings.keys_secret_file.unlink()
    assert client.get("/items", headers=as_(key)).status_code == 401


def test_a_revoked_key_is_refused_within_a_second(
    client: ContractClient, application: FlaskApp, clock: list[float]
) -> None:
    """A worker asks the database again after half a second."""
    key = create(application)
    assert client.get("/items", headers=as_(key)).status_code == 200
    assert run(application, "revoke", "alice").output == "1 key of alice revoked.\n"
    clock[0] += 0.99
    assert client.get("/items", headers=as_(key)).status_code == 401


def test_a_known_key_does_not_ask_the_database(
    client: ContractClient, application: FlaskApp, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within half a second."""
    key = create(application)
    assert client.get("/items", headers=as_(key)).status_code == 200
    monkeypatch.setattr(api_keys, "find", None)
    clock[0] += 0.4
    assert client.get("/items", headers=as_(key)).status_code == 200
    clock[0] += 0.2
    assert client.get("/items", headers=as_(key)).status_code == 500


def test_an_expired_key_is_refused(client: ContractClient, application: FlaskApp, clock: list[float]) -> None:
    """Its expiry is checked with each look at the database."""
    key = create(application, days="1")
    assert client.get("/items", headers=as_(key)).status_code == 200
    database = application.app.extensions[EXTENSION]
    with database.write() as connection:
        api_keys.expire(connection, 1, timestamp(datetime.now(UTC) - timedelta(seconds=1)))
    clock[0] += 1
    assert client.get("/items", headers=as_(key)).status_code == 401


def test_rotation_gives_a_new_key_and_ends_the_old_one(
    client: ContractClient, application: FlaskApp, clock: list[float]
) -> None:
    """Both are the same principal, and for a day both are valid."""
    old = create(application, "alice", READ)
    new = run(application, "rotate", "alice").stdout.strip()
    assert [client.get("/items", headers=as_(key)).status_code for key in (old, new)] == [200, 200]
    newest = run(application, "rotate", "alice", "--hours=0").stdout.strip()
    clock[0] += 1
    assert [client.get("/items", headers=as_(key)).status_code for key in (old, new, newest)] == [401, 401, 200]
    assert client.post("/items", json={"name": "x"}, headers=as_(newest)).status_code == 403
    assert run(application, "revoke", "alice").output == "1 key of alice revoked.\n"


def test_the_list_says_whose_keys_there_are(client: ContractClient, application: FlaskApp) -> None:
    """And when they were used last, which is stored now and then, not with each request."""
    key = create(application, "alice", READ)
    create(application, "bob", WRITE, days="3")
    run(application, "revoke", "bob")
    listed = run(application, "list").output.splitlines()
    assert [line.split()[0] for line in listed] == ["alice", "bob"]
    assert key not in "".join(listed)
    assert f"{key[:14]}…  valid   without end, never used  items:read" in listed[0]
    assert "revoked until " in listed[1]
    client.get("/items", headers=as_(key))
    assert "never used" in run(application, "list").output.splitlines()[0]


def test_last_use_is_stored_later(application: FlaskApp, settings: Settings) -> None:
    """By the worker that served the request."""
    key = create(application, "alice", READ)
    database = application.app.extensions[EXTENSION]
    verifier = keys.ApiKeys(database, settings.keys_secret_file.read_bytes, attempts.Attempts(SharedCounts()))

    async def use() -> None:
        await verifier.verify(key, Request({}, None, {}, ()))  # type: ignore[arg-type]  # no body is read
        await verifier.store_uses()

    asyncio.run(use())
    assert "last used 2" in run(application, "list").output


def test_a_key_is_refused_when_it_expires(
    client: ContractClient, application: FlaskApp, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not half a second later, when a worker asks the database again."""
    key = create(application, days="1")
    with application.app.extensions[EXTENSION].read() as connection:
        (row,) = api_keys.all_keys(connection)
    present = [datetime.fromisoformat(row.expires_at or "") - timedelta(seconds=0.25)]
    monkeypatch.setattr(keys, "datetime", type("Clock", (datetime,), {"now": lambda _zone: present[0]}))
    assert client.get("/items", headers=as_(key)).status_code == 200
    present[0] += timedelta(seconds=0.25)
    clock[0] += 0.25
    assert client.get("/items", headers=as_(key)).status_code == 401


def test_requests_at_once_with_a_known_key_are_served(
    application: FlaskApp, settings: Settings, clock: list[float]
) -> None:
    """Whatever others at their IP address have tried, and while the database takes its time or fails."""
    key, database = create(application), application.app.extensions[EXTENSION]
    failures: list[Exception] = []

    async def run_read(function: Any) -> Any:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return function()

    slow = SimpleNamespace(read=database.read, run_read=run_read)
    verifier = keys.ApiKeys(slow, settings.keys_secret_file.read_bytes, Mock())  # type: ignore[arg-type]
    request = Request({"client": ("192.0.2.1", 1)}, None, {}, ())  # type: ignore[arg-type]  # no body is read

    async def use() -> list[Any]:
        await verifier.verify(key, request)
        verifier._attempts.require_few.side_effect = Problem(429, "Others have guessed.")  # type: ignore[attr-defined]
        clock[0] += 0.6
        failures.append(OSError("no connection"))
        return await asyncio.gather(*(verifier.verify(key, request) for _ in range(3)), return_exceptions=True)

    kinds = [type(each).__name__ for each in asyncio.run(use())]
    assert kinds == ["OSError", "Principal", "Principal"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("create", "alice", "--scope=items:fly"),
            "items:fly is not in the contract, which has audit:read, items:read, items:write.",
        ),
        (("create", "alice"), "Missing option '--scope'"),
        (("create", "1st", "--scope=items:read"), "must begin with a letter"),
        (("revoke", "nobody"), "nobody has no valid key."),
        (("rotate", "nobody"), "nobody has no valid key."),
    ],
)
def test_mistakes_on_the_command_line_are_explained(
    application: FlaskApp, arguments: tuple[str, ...], message: str
) -> None:
    """One sentence, and no trace."""
    result = run(application, *arguments)
    assert result.exit_code != 0
    assert message in result.output


def test_a_damaged_secret_is_explained(application: FlaskApp, settings: Settings) -> None:
    """An empty file would make every hash guessable."""
    settings.keys_secret_file.write_bytes(b"")
    result = run(application, "create", "alice", "--scope=items:read")
    assert result.exit_code == 1
    assert "has 0 bytes, but the secret has 32" in result.output


def test_too_many_failures_are_429(client: ContractClient, application: FlaskApp, clock: list[float]) -> None:
    """Until the window ends. A key that the worker knows goes on, from the same IP address."""
    key = create(application)
    assert client.get("/items", headers=as_(key)).status_code == 200
    statuses = [client.get("/items", headers=as_(f"guess-{n}")).status_code for n in range(attempts.FAILURES + 5)]
    assert statuses == [401] * attempts.FAILURES + [429] * 5
    refused = client.get("/items", headers=as_("guess"))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "60")
    assert client.get("/items", headers=as_(key)).status_code == 200
    clock[0] += attempts.SECONDS - 1.5
    refused = client.get("/items", headers=as_("guess"))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    clock[0] += 1.5
    assert client.get("/items", headers=as_("guess")).status_code == 401


def test_workers_count_failures_together() -> None:
    """What one has counted, the other knows. Requests that were let in at the same time get no more 401 than that."""
    counts = SharedCounts()
    one, other = attempts.Attempts(counts), attempts.Attempts(counts)
    scope = {"client": ("192.0.2.1", 1)}
    for number in range(attempts.FAILURES):
        one.require_few(scope)
        other.require_few(scope)
        (one if number % 3 else other).note_failure(scope)
    for worker in (one, other):
        for function in (worker.require_few, worker.note_failure):
            with pytest.raises(Problem, match="Too many credentials") as caught:
                function(scope)
            assert caught.value.status == 429


def test_instances_count_failures_together_in_a_file(tmp_path: Path) -> None:
    """That of RATE_LIMIT_FILE. Without it, each counts for itself."""
    for number, shared, status in ((1, {"RATE_LIMIT_FILE": f"{tmp_path}/limits"}, 429), (2, {}, 401)):
        folder = tmp_path / str(number)
        folder.mkdir()
        one, other = (create_app(secured_settings(folder, **shared)) for _ in range(2))
        with ContractClient(one) as client:
            statuses = [client.get("/items", headers=as_("guess")).status_code for _ in range(attempts.FAILURES)]
            assert statuses == [401] * attempts.FAILURES
        with ContractClient(other) as client:
            assert client.get("/items", headers=as_("guess")).status_code == status


def test_a_client_without_failures_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it take a lock, so a first valid credential costs no more than a look."""
    counts = SharedCounts()
    monkeypatch.setattr(counts, "take", None)
    attempts.Attempts(counts).require_few({"client": ("192.0.2.1", 1)})
    assert not any(counts._keys)


def test_one_network_of_ipv6_is_one_client() -> None:
    """A client has 2^64 IP addresses."""
    found = attempts.Attempts(SharedCounts())
    for number in range(attempts.FAILURES):
        found.note_failure({"client": (f"2001:db8::{number:x}", 1)})
    with pytest.raises(Exception, match="Too many credentials"):
        found.require_few({"client": ("2001:db8::ffff", 1)})
    found.require_few({"client": ("2001:db8:0:1::1", 1)})


def test_the_cache_of_keys_is_bounded(
    client: ContractClient, application: FlaskApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys beyond it are looked up again."""
    monkeypatch.setattr(keys, "_MOST_REMEMBERED", 2)
    made = [create(application, f"client{n}") for n in range(4)]
    for _ in range(2):
        assert [client.get("/items", headers=as_(key)).status_code for key in made] == [200] * 4


def test_each_write_of_a_group_sees_its_own_principal(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes share turns, in which the code of one request runs in the task of another."""
    seen: dict[str, str | None] = {}
    add = Statements.add

    def spy(self: Any, connection: Any, values: Any, owner: str | None) -> Any:
        found = principal()
        seen[values["name"]] = found.id if found else None
        return add(self, connection, values, owner)

    monkeypatch.setattr(Statements, "add", spy)
    application = create_app(settings)
    made = {f"client{n}": create(application, f"client{n}") for n in range(8)}

    async def main() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            sends = [
                client.post("/items", json={"name": f"{name}-{n}"}, headers=as_(key))
                for n in range(5)
                for name, key in made.items()
            ]
            return await asyncio.gather(*sends)

    assert {response.status_code for response in asyncio.run(main())} == {201}
    assert seen == {f"{name}-{n}": f"key:{name}" for n in range(5) for name in made}


def test_the_served_contract_is_the_secured_one(client: ContractClient) -> None:
    """As JSON and as YAML, which are the same document."""
    document = client.get("/openapi.json").json()
    assert yaml.safe_load(client.get("/openapi.yaml").content) == document
    assert set(document["components"]["securitySchemes"]) == {"ApiKey", "BearerToken"}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            is_open = path in ("/healthz", "/readyz")
            scope = "audit:read" if path == "/audit-log" else READ if method == "get" else WRITE
            assert operation.get("x-required-scopes") == (None if is_open else [scope])
            assert ({"401", "403"} <= operation["responses"].keys()) is not is_open
            assert operation.get("security", document["security"]) == (
                [] if is_open else [{"ApiKey": []}, {"BearerToken": []}]
            )


def test_an_idempotency_key_belongs_to_who_sent_it(client: ContractClient, application: FlaskApp) -> None:
    """The same key of another principal is another key; a new API key of the same one changes nothing."""
    alice, bob = create(application, "alice"), create(application, "bob")
    again = run(application, "rotate", "alice").stdout.strip()

    def post(key: str) -> tuple[int, str | None]:
        headers = {**as_(key), "Idempotency-Key": "order-1"}
        response = client.post("/items", json={"name": "Lamp"}, headers=headers)
        return response.json()["id"], response.headers.get("Idempotency-Replayed")

    assert [post(alice), post(bob), post(again)] == [(1, None), (2, None), (1, "true")]
