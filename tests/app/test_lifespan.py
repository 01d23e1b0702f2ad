"""A worker comes up whether the database is there or not: Gunicorn stops the whole service for one that does not."""

from app import create_app
from app.settings import Settings
from tests.support import ContractClient


def test_a_worker_comes_up_while_the_database_is_away() -> None:
    """As one does that replaces another meanwhile: alive, not ready, and every request is told to come again."""
    environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    with ContractClient(create_app(Settings.from_environ(environment))) as client:
        assert client.get("/healthz").status_code == 200
        for path in ("/readyz", "/items"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
