"""The contestants: the service and its peers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Contestant:
    """An application for Gunicorn, with its properties.

    A contestant is `conditional` if it sends 304 for an ETag, and `validates` if it sends 400 for a body that violates
    the contract. `worker_class` is None for the service, which has its own settings.
    """

    key: str
    label: str
    app: str
    worker_class: str | None = "asgi"
    environment: Mapping[str, str] = field(default_factory=dict)
    conditional: bool = False
    validates: bool = True


SERVICE = Contestant(
    "service",
    "this service",
    "app:app",
    worker_class=None,
    conditional=True,
)
KEPT = {"CONNECTIONS": "kept"}
LIMIT = Contestant("limit", "bare ASGI (the limit)", "benchmarks.peers.limit:app", environment=KEPT, validates=False)
LITESTAR = Contestant("litestar", "Litestar", "benchmarks.peers.litestar_msgspec:app")
LITESTAR_KEPT = Contestant(
    "litestar-kept",
    "Litestar, with the service's connections",
    "benchmarks.peers.litestar_msgspec:app",
    environment=KEPT,
)
FASTAPI = Contestant("fastapi", "FastAPI", "benchmarks.peers.fastapi_def:app")
CONNEXION_ASYNC = Contestant("connexion-async", "Connexion AsyncApp", "benchmarks.peers.connexion_async:app")
CONNEXION_FLASK = Contestant("connexion-flask", "Connexion FlaskApp", "benchmarks.peers.connexion_flask:app")
FLASK_CORE = Contestant("flask-core", "Flask + Core", "benchmarks.peers.flask_core:app", "sync")
TUTORIAL = Contestant("tutorial", "Flask + Flask-SQLAlchemy", "benchmarks.peers.tutorial:app", "sync")

CONTESTANTS = (
    SERVICE,
    LIMIT,
    LITESTAR_KEPT,
    LITESTAR,
    FASTAPI,
    FLASK_CORE,
    TUTORIAL,
    CONNEXION_ASYNC,
    CONNEXION_FLASK,
)
