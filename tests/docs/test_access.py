"""docs/access.md: its commands give access, take it away, and start the service with the settings shown."""

import re
from pathlib import Path

from app.access import attempts
from app.specification import scopes
from tests.docs.markdown import blocks, read, spans, table
from tests.docs.test_database import run
from tests.e2e.stack import ask, service

PUBLISH, START, CREATE, CHANGE, CORS, ASSIGN, AUDIT = blocks(read("docs/access.md"), "sh")


def _settings(command: str, last: str) -> dict[str, str]:
    assert command.strip().endswith(last)
    return dict(word.split("=", 1) for word in command.split() if re.match("[A-Z_]+=", word))


def test_the_commands_give_access_and_take_it_away(tmp_path: Path) -> None:
    """One after the other, beside the running service."""
    var = tmp_path / "var"
    var.mkdir()
    assert _settings(START, "make run") == {"ACCESS": "secured"}
    secret = f"{var}/keys.secret"
    with service(var, ACCESS="secured", KEYS_SECRET_FILE=secret) as running:
        assert ask(running.port, "GET", "/items").status == 401
        create = CREATE.replace(":8000/", f":{running.port}/")
        exported = f"export no_proxy=127.0.0.1 KEYS_SECRET_FILE={secret}\n"
        done = run(f"{exported}{create}echo $KEY", tmp_path)
        items, key = done.stdout.split()
        assert items == "[]"
        assert re.fullmatch("items_key_[A-Za-z0-9_-]{43}", key)
        done = run(exported + ASSIGN + AUDIT.replace(":8000/", f":{running.port}/"), tmp_path)
        assert done.stdout.splitlines() == ["items: 0 rows belong to key:alice now.", "[]", "[]"]
        done = run(exported + CHANGE, tmp_path)
        listed, _, rotated, revoked = done.stdout.splitlines()
        assert listed.startswith("alice ")
        assert rotated.startswith("items_key_")
        assert revoked == "2 keys of alice revoked."


def test_the_setting_for_other_origins_starts_the_service(tmp_path: Path) -> None:
    """A page of the origin may read the response."""
    origins = _settings(CORS, "make run")["CORS_ORIGINS"]
    origin = origins.split(",")[0]
    with service(tmp_path, CORS_ORIGINS=origins) as running:
        assert ask(running.port, "GET", "/items", headers={"Origin": origin})["Access-Control-Allow-Origin"] == origin


def test_compose_is_published_with_a_decision() -> None:
    """The two settings go together; tests/containers/test_web.py has what happens without."""
    assert _settings(PUBLISH, "docker compose up --build") == {"HTTP_IP": "0.0.0.0", "ACCESS": "secured"}  # noqa: S104


def test_the_scopes_and_the_limits_are_those_of_the_service() -> None:
    """Every scope of the contract is in the table."""
    text = read("docs/access.md")
    assert {spans(row[0])[0] for row in table(text, "What a client sees") if re.match("`[a-z]+:", row[0])} == scopes()
    assert f"after {attempts.FAILURES} credentials" in text
    assert f"within {attempts.SECONDS} s" in text
