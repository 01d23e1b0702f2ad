"""A worker starts even if the database is unavailable, because Gunicorn stops the service if a worker cannot start."""

from app import create_app
from app.settings import Settings
from tests.support import ContractClient


def test_a_worker_starts_without_the_database() -> None:
    """It is alive but not ready, and every request is a 503 with `Retry-After`."""
    environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    with ContractClient(create_app(Settings.from_environ(environment))) as client:
        assert client.get("/healthz").status_code == 200
        for path in ("/readyz", "/items"):
            response = client.get(path)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
