"""The tests of `tests/app/test_two_principals.py` on a real PostgreSQL: its statements keep owners apart as well."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.app.secured import secured_settings
from tests.app.test_two_principals import *  # noqa: F403  # every test that is there, and every one that will be
from tests.app.test_two_principals import ROWS, Person, principals
from tests.e2e.postgresql import postgresql, upgrade


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Person]]:
    """Two principals of a service on PostgreSQL."""
    with postgresql() as cluster:
        upgrade(cluster.url)
        folder = tmp_path_factory.mktemp("people")
        with principals(secured_settings(folder, DATABASE_URL=cluster.url)) as both:
            with psycopg.connect(cluster.url) as connection:
                owners: dict[str, int] = dict(
                    connection.execute("SELECT owner, count(*) FROM items GROUP BY owner").fetchall()
                )
            assert owners == {"key:ann": ROWS, "key:bob": ROWS}
            yield both
