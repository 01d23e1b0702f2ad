"""The settings, read from environment variables and checked before the service starts."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from app.setting_values import (
    Bind,
    algorithm,
    bind,
    database_url,
    host,
    host_names,
    key_set,
    one_of,
    optional,
    origins,
    proxies,
    shared_file,
    switch,
    url,
    whole_number,
)

ROOT = Path(__file__).resolve().parent.parent
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


class SettingsError(Exception):
    """One or more settings are invalid. The message lists each with what is expected."""


def _without_password(text: str) -> str:
    return re.sub(r"(://[^:/@]*:).*@", r"\1***@", text)


def _setting(default: str, parse: Callable[[str], Any], meaning: str) -> Any:
    """Create the field of one setting."""
    return field(
        default_factory=lambda: parse(default), metadata={"default": default, "parse": parse, "means": meaning}
    )


@dataclass(frozen=True)
class Settings:
    """The settings. Each field is read from the environment variable with its name in upper case."""

    database_url: URL = _setting(
        f"sqlite:///{ROOT}/var/items.db",
        database_url,
        "The database: `sqlite:///FILE` or `postgresql://…`.",
    )
    host: str = _setting("127.0.0.1", host, "The IP address or host name to listen on.")
    port: int = _setting("8000", whole_number(0, 65535), "The port to listen on; 0 picks a free port.")
    web_concurrency: int = _setting("2", whole_number(1, 256), "The number of worker processes.")
    log_level: str = _setting("info", one_of(*LOG_LEVELS), "The lowest level that is logged.")
    log_format: str = _setting("text", one_of(*LOG_FORMATS), "The format of the log: `text` or `json`.")
    access_log: bool = _setting("on", switch, "Whether to log every request: `on` or `off`.")
    validate_responses: str = _setting(
        "enforce",
        one_of("enforce", "log"),
        "What happens when a response violates the contract: a 500 (`enforce`) or a log entry (`log`).",
    )
    write_timeout: int = _setting(
        "5", whole_number(1, 300), "The seconds that a write may wait for other writes, before it is a 503."
    )
    wal_limit: int = _setting(
        "1024",
        whole_number(0, 1_048_576),
        "The MiB that `items.db-wal` may have while another program reads in one long transaction. Above that, writes "
        "are a 503. 0 means any number.",
    )
    graceful_timeout: int = _setting(
        "30", whole_number(1, 3600), "The seconds that running requests have to finish when the service stops."
    )
    forwarded_allow_ips: str = _setting(
        "127.0.0.1,::1",
        proxies,
        "The proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Prefix` are trusted: IP addresses "
        "or networks, separated by commas, or `*`.",
    )
    connections_per_ip: int = _setting(
        "500",
        whole_number(0, 65535),
        "The open connections that one IP address may have to each worker process; more are a 429. 0 means any number. "
        "It does not apply to the proxies in `FORWARDED_ALLOW_IPS`, nor to Unix sockets.",
    )
    access: str = _setting(
        "",
        optional(one_of("open", "secured")),
        "Who may send requests: everyone (`open`), or who has an API key or a token (`secured`; see "
        "[access.md](access.md)). Empty means `open`, and stops a start where other machines can reach the service.",
    )
    keys_secret_file: Path = _setting(
        f"{ROOT}/var/keys.secret",
        Path,
        "The file with the secret that API keys are hashed with. The first start or command that needs it creates it.",
    )
    jwt_jwks: str = _setting(
        "",
        key_set,
        "The public keys of the issuer whose tokens are accepted: a file with a key set (JWKS), or its URL.",
    )
    jwt_secret_file: str = _setting(
        "", str, "In place of `JWT_JWKS`: a file with a secret that the issuer has, too; at least 32 bytes."
    )
    jwt_issuer: str = _setting("", str, "The issuer (`iss`) that a token must have.")
    jwt_audience: str = _setting("", str, "The audience (`aud`) that a token must have.")
    jwt_algorithm: str = _setting(
        "",
        algorithm,
        "The only algorithm of signatures that is accepted. Empty means `RS256` with `JWT_JWKS`, and `HS256` with "
        "`JWT_SECRET_FILE`.",
    )
    cors_origins: tuple[str, ...] = _setting(
        "",
        origins,
        "The origins whose pages may call the service from a browser, separated by commas. Empty means none but its "
        "own.",
    )
    allowed_hosts: tuple[str, ...] = _setting(
        "",
        host_names,
        "The host names that are served, separated by commas; others are a 421. `.example.com` stands for example.com "
        "and every name below it. Empty means any. IP addresses and localhost are always served.",
    )
    idempotency_hours: int = _setting(
        "24", whole_number(1, 8760), "The hours for which the response to an `Idempotency-Key` is kept."
    )
    rate_limit_file: Path | None = _setting(
        "",
        shared_file,
        "The file, best in memory (tmpfs), in which instances on one machine count the requests for rate limits, and "
        "failed attempts, together, also over restarts. Empty means that each instance counts for itself, from its "
        "start.",
    )
    metrics: Bind | None = _setting(
        "",
        bind,
        "Where Prometheus gets the metrics, `/metrics`: an IP address and a port, such as `127.0.0.1:9000`, or the "
        "path of a Unix socket. Empty: nothing is counted.",
    )
    slow_request_ms: int = _setting(
        "1000",
        whole_number(0, 3_600_000),
        "The milliseconds from which a request is slow; it is then logged once more, as a warning. 0: none is slow. "
        "Requests with a status of 500 or more are always logged so.",
    )
    otel_exporter_otlp_endpoint: str = _setting(
        "",
        url,
        "The URL of a collector for OpenTelemetry, such as `http://127.0.0.1:4318`, which gets a span for each request "
        "to an operation. Empty: none. It needs `requirements/telemetry.txt`.",
    )
    audit_days: int = _setting(
        "365", whole_number(1, 36500), "The days for which entries of the audit log are kept, with `ACCESS=secured`."
    )
    welcome: bool = _setting(
        "off",
        switch,
        "Whether to print the URLs, the database and how to stop when the service is ready: `on` or `off`.",
    )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings from environment variables; an empty one counts as not set. Raises `SettingsError`."""
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for setting in fields(cls):
            text = environ.get(setting.name.upper(), "").strip()
            if text:
                try:
                    values[setting.name] = setting.metadata["parse"](text)
                except ValueError as error:
                    wrong.append(f"  - {setting.name.upper()} {error}; it is {_without_password(text)!r}")
        if wrong:
            raise SettingsError("These settings are invalid:\n" + "\n".join(wrong))
        settings = cls(**values)
        if faults := settings._token_faults():
            raise SettingsError("These settings do not fit together:\n" + "\n".join(f"  - {fault}" for fault in faults))
        return settings

    @property
    def accepts_tokens(self) -> bool:
        """Whether there is an issuer whose tokens are accepted."""
        return bool(self.jwt_jwks or self.jwt_secret_file)

    @property
    def token_algorithm(self) -> str:
        """The only algorithm of signatures that is accepted."""
        return self.jwt_algorithm or ("HS256" if self.jwt_secret_file else "RS256")

    def _token_faults(self) -> list[str]:
        """Return why tokens could not be verified: a token without an issuer or an audience could be for anyone."""
        names = ("jwt_issuer", "jwt_audience", "jwt_algorithm")
        if not self.accepts_tokens:
            return [f"{name.upper()} needs JWT_JWKS or JWT_SECRET_FILE" for name in names if getattr(self, name)]
        faults = [f"{name.upper()} is required to accept tokens" for name in names[:2] if not getattr(self, name)]
        if self.access != "secured":  # else everyone would be served, with a token or without
            faults.append("ACCESS=secured is required to accept tokens")
        if self.jwt_jwks and self.jwt_secret_file:
            faults.append("JWT_JWKS and JWT_SECRET_FILE exclude each other")
        elif self.token_algorithm.startswith("HS") is not bool(self.jwt_secret_file):
            faults.append(f"JWT_ALGORITHM is {self.token_algorithm}, which is not for that kind of key")
        return faults
