"""The contestants: the service and its peers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent


@dataclass(frozen=True, eq=False)
class Contestant:
    """What `python` runs to serve, with its properties.

    A contestant is `conditional` if it sends 304 for an ETag. `folder` is where it runs: a checkout of this repository.
    """

    key: str
    label: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    conditional: bool = False
    folder: Path = CHECKOUT


def _gunicorn(module: str, worker: str = "asgi") -> tuple[str, ...]:
    """The command of a peer: the fastest options of Gunicorn, the C parser and uvloop, and otherwise its defaults."""
    return (
        *("-m", "gunicorn", f"benchmarks.peers.{module}:app", "--worker-class", worker),
        *("--config", "python:benchmarks.peers.gunicorn_conf"),
    )


# As in `make run`.
SERVICE = Contestant("service", "this service", ("-m", "app"), conditional=True)
UNLOGGED = Contestant(
    "service-unlogged",
    "this service, `ACCESS_LOG=off`",
    SERVICE.command,
    environment={"ACCESS_LOG": "off"},
    conditional=True,
)
COUNTED = Contestant(
    "service-metrics",
    "this service, with metrics",
    SERVICE.command,
    environment={"METRICS": "127.0.0.1:9187"},
    conditional=True,
)
KEPT = {"CONNECTIONS": "kept"}
LIMIT = Contestant("bare-asgi", "bare ASGI (the limit)", _gunicorn("limit"), environment=KEPT)
LIMIT_PREPARED = Contestant(
    "bare-asgi-prepared",
    "bare ASGI, prepared statements",
    _gunicorn("limit"),
    environment={**KEPT, "STATEMENTS": "prepared"},
)
LITESTAR = Contestant("litestar", "Litestar", _gunicorn("litestar_msgspec"))
LITESTAR_KEPT = Contestant(
    "litestar-kept", "Litestar, connections kept open", _gunicorn("litestar_msgspec"), environment=KEPT
)
# On Granian, a server in Rust, with its defaults: no access log, for example. It reads GRANIAN_HOST and its like.
LIMIT_GRANIAN = Contestant(
    "bare-asgi-granian",
    "bare ASGI on Granian",
    ("-m", "granian", "--interface", "asgi", "benchmarks.peers.limit:app"),
    environment=KEPT,
)
BLACKSHEEP = Contestant("blacksheep", "BlackSheep", _gunicorn("blacksheep_pydantic"))
FASTAPI = Contestant("fastapi", "FastAPI", _gunicorn("fastapi_def"))
CONNEXION_ASYNC = Contestant("connexion-async", "Connexion AsyncApp", _gunicorn("connexion_async"))
CONNEXION_FLASK = Contestant("connexion-flask", "Connexion FlaskApp", _gunicorn("connexion_flask"))
FLASK_CORE = Contestant("flask-core", "Flask + Core", _gunicorn("flask_core", "sync"))
TUTORIAL = Contestant("tutorial", "Flask + Flask-SQLAlchemy", _gunicorn("tutorial", "sync"))

CONTESTANTS = (
    SERVICE,
    UNLOGGED,
    LIMIT,
    LIMIT_PREPARED,
    LIMIT_GRANIAN,
    LITESTAR_KEPT,
    LITESTAR,
    BLACKSHEEP,
    FASTAPI,
    FLASK_CORE,
    TUTORIAL,
    CONNEXION_ASYNC,
    CONNEXION_FLASK,
)
COMPARABLE = (*CONTESTANTS, COUNTED)
"""What `make bench-check` compares the service with, besides commits."""
