"""The settings are read from environment variables, and all invalid values are reported at once."""

import sys
from contextlib import suppress
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from app.settings import ROOT, Settings, SettingsError

DATABASE_URL_RULE = "must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
HOST_RULE = "must be an IP address or a host name, without http:// and without the port"
PROXIES_RULE = "must be a list of IP addresses or networks, separated by commas, or *"
LEVELS = "must be one of: debug, info, warning, error, critical"


def _message(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ(environ)
    return str(caught.value)


def test_every_setting_has_a_default() -> None:
    """The defaults serve this machine only."""
    settings = Settings.from_environ({})
    assert settings == Settings()
    assert (settings.database_url.drivername, settings.database_url.database) == ("sqlite", f"{ROOT}/var/items.db")
    assert (settings.host, settings.port, settings.web_concurrency) == ("127.0.0.1", 8000, 2)
    assert (settings.log_level, settings.access_log) == ("info", True)
    assert settings.graceful_timeout == 30


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: str(setting.name))
def test_every_setting_has_a_meaning(setting: Any) -> None:
    """The meaning is a sentence, which docs/settings.md shows, and the default is a valid value."""
    assert setting.metadata["means"].endswith(".")
    assert Settings.from_environ({setting.name.upper(): setting.metadata["default"]}) == Settings()


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: str(setting.name))
def test_an_empty_variable_is_not_set(setting: Any, text: str) -> None:
    """`docker compose` passes variables that are not set as empty ones."""
    assert Settings.from_environ({setting.name.upper(): text}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("HOST", "0.0.0.0", "0.0.0.0"),  # noqa: S104  # not bound to
        ("HOST", " localhost ", "localhost"),
        ("HOST", "::1", "::1"),
        ("HOST", "web-1.example.org", "web-1.example.org"),
        ("FORWARDED_ALLOW_IPS", "*", "*"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.0/8, ::1", "10.0.0.0/8,::1"),
        ("PORT", "0", 0),
        ("PORT", "65535", 65535),
        ("WEB_CONCURRENCY", "256", 256),
        ("LOG_LEVEL", "DEBUG", "debug"),
        ("LOG_LEVEL", "Warning", "warning"),
        ("ACCESS_LOG", "off", False),
        ("ACCESS_LOG", "ON", True),
        ("GRACEFUL_TIMEOUT", "1", 1),
    ],
)
def test_a_valid_value_is_used(name: str, text: str, value: object) -> None:
    """Words are not case-sensitive."""
    assert getattr(Settings.from_environ({name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("PORT", "http", "must be a whole number from 0 to 65535"),
        ("PORT", "-1", "must be a whole number from 0 to 65535"),
        ("PORT", "65536", "must be a whole number from 0 to 65535"),
        ("PORT", "8000.0", "must be a whole number from 0 to 65535"),
        ("PORT", "8_000", "must be a whole number from 0 to 65535"),
        ("PORT", "８０００", "must be a whole number from 0 to 65535"),
        ("PORT", "+80", "must be a whole number from 0 to 65535"),
        ("WEB_CONCURRENCY", "0", "must be a whole number from 1 to 256"),
        ("WEB_CONCURRENCY", "257", "must be a whole number from 1 to 256"),
        ("HOST", "http://127.0.0.1", HOST_RULE),
        ("HOST", "127.0.0.1:8000", HOST_RULE),
        ("HOST", "127.0.0.256", HOST_RULE),
        ("HOST", "unix:/run/items", HOST_RULE),
        ("HOST", "two words", HOST_RULE),
        ("FORWARDED_ALLOW_IPS", "localhost", PROXIES_RULE),
        ("FORWARDED_ALLOW_IPS", "10.0.0.0/33", PROXIES_RULE),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1,,", PROXIES_RULE),
        ("WEB_CONCURRENCY", "two", "must be a whole number from 1 to 256"),
        ("WEB_CONCURRENCY", "auto", "must be a whole number from 1 to 256"),
        ("GRACEFUL_TIMEOUT", "0", "must be a whole number from 1 to 3600"),
        ("GRACEFUL_TIMEOUT", "3601", "must be a whole number from 1 to 3600"),
        ("LOG_LEVEL", "verbose", LEVELS),
        ("LOG_LEVEL", "10", LEVELS),
        ("ACCESS_LOG", "yes", "must be one of: on, off"),
        ("ACCESS_LOG", "1", "must be one of: on, off"),
        ("DATABASE_URL", "items.db", "must be a database URL, such as sqlite:////data/items.db"),
        ("DATABASE_URL", "sqlite://", DATABASE_URL_RULE),
        ("DATABASE_URL", "sqlite:///", DATABASE_URL_RULE),
        ("DATABASE_URL", "sqlite:///:memory:", DATABASE_URL_RULE),
        ("DATABASE_URL", "sqlite:///items.db?timeout=x", "must be sqlite:///FILE without parameters"),
        ("DATABASE_URL", "mysql://host/items", DATABASE_URL_RULE),
        ("DATABASE_URL", "postgres://host/items", DATABASE_URL_RULE),
    ],
)
def test_an_invalid_value_is_reported_with_what_is_expected(name: str, text: str, rule: str) -> None:
    """The message has the name, the rule and the value."""
    assert _message({name: text}) == f"These settings are invalid:\n  - {name} {rule}; it is {text!r}"


def test_all_invalid_values_are_reported_at_once() -> None:
    """They are in the order of the settings, without the valid ones."""
    assert _message({"ACCESS_LOG": "maybe", "PORT": "x", "LOG_LEVEL": "loud", "HOST": "localhost"}) == (
        "These settings are invalid:\n"
        "  - PORT must be a whole number from 0 to 65535; it is 'x'\n"
        f"  - LOG_LEVEL {LEVELS}; it is 'loud'\n"
        "  - ACCESS_LOG must be one of: on, off; it is 'maybe'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:p@h:5432/d",
        "postgresql+psycopg://u:p@h:5432/d",
        "postgresql+psycopg2://u:p@h:5432/d",
        "postgresql+asyncpg://u:p@h:5432/d",
    ],
)
def test_postgresql_always_uses_psycopg_3(text: str) -> None:
    """The driver in the URL is ignored, because hosting providers name different ones."""
    url = Settings.from_environ({"DATABASE_URL": text}).database_url
    assert url.render_as_string(hide_password=False) == "postgresql+psycopg://u:p@h:5432/d"


@pytest.mark.parametrize(
    "text", ["sqlite+aiosqlite:///items.db", "sqlite+pysqlcipher:///items.db", "sqlite+nonsense:///items.db"]
)
def test_sqlite_with_another_driver_does_not_reach_the_engine(text: str) -> None:
    """It is rejected or replaced by the standard library's driver, so there is no traceback later."""
    with suppress(SettingsError):
        url = Settings.from_environ({"DATABASE_URL": text}).database_url
        assert url.get_driver_name() == "pysqlite"


def test_a_missing_driver_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where psycopg has no wheel, there is no traceback."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    message = _message({"DATABASE_URL": "postgresql://h/d"})
    assert "DATABASE_URL needs psycopg, which this Python cannot import (import of psycopg halted" in message


@pytest.mark.parametrize("text", ["postgresql://h:port/d", "postgresql://u:p@h:99x/d"])
def test_an_invalid_port_in_the_url_is_reported_in_plain_words(text: str) -> None:
    """The message is not that of Python's `int()`."""
    message = _message({"DATABASE_URL": text})
    assert "DATABASE_URL must be " in message
    assert "invalid literal" not in message


def test_a_password_is_masked() -> None:
    """The message goes to the log."""
    assert "hunter2" not in _message({"DATABASE_URL": "mysql://user:hunter2@host/items"})


def test_settings_are_immutable() -> None:
    """Several parts of the application share them."""
    settings = Settings()
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]
