"""PostgreSQL: threads that wait for it, so that the event loop does not, and an end to every wait."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import TimeoutError as DatabaseTimeout
from sqlalchemy.pool import QueuePool

THREADS = 5
"""Threads that read, and as many that write: writes that wait for a locked row leave reads alone."""
STATEMENT_SECONDS = 10

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
# A URL can choose other values: postgresql://…/items?connect_timeout=10
_CONNECTION = {
    "connect_timeout": "3",  # seconds
    "keepalives_idle": "10",  # seconds without traffic, before the connection is probed
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # milliseconds that sent data can stay unacknowledged
}


class Pool(NamedTuple):
    """Connections that are open, and the most there may be."""

    in_use: int
    idle: int
    most: int


class PostgreSQL:
    """Connections to a PostgreSQL server. `lock_timeout` is how many seconds a write may wait for a locked row.

    Raise `sqlalchemy.exc.SQLAlchemyError`.
    """

    def __init__(self, url: URL, lock_timeout: float) -> None:
        options = f"-c lock_timeout={round(lock_timeout * 1000)} -c statement_timeout={STATEMENT_SECONDS * 1000}"
        options += f" -c idle_in_transaction_session_timeout={STATEMENT_SECONDS * 1000}"
        defaults = {**_CONNECTION, "options": options}
        self._engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=2 * THREADS,
            max_overflow=0,
            pool_timeout=STATEMENT_SECONDS,
            hide_parameters=True,
            connect_args={name: value for name, value in defaults.items() if name not in url.query},
        )
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._local = threading.local()
        self._readers = Threads("reader")
        self._writers = Threads("writer")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection for one statement that reads; inside of `write()`, that one."""
        current = self._current()
        if current is not None:
            yield current
            return
        with self._autocommit.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction; inside of another `write()`, in a savepoint of its transaction."""
        current = self._current()
        if current is not None:
            with current.begin_nested():
                yield current
            return
        with self._engine.begin() as connection:
            self._local.connection = connection
            try:
                yield connection
            finally:
                self._local.connection = None

    def pool(self) -> Pool:
        """Return the state of the connections."""
        pool = self._engine.pool
        assert isinstance(pool, QueuePool)
        return Pool(pool.checkedout(), pool.checkedin(), pool.size())

    def opened(self) -> AbstractContextManager[None]:
        """Nothing: a server has its database."""
        return nullcontext()

    async def run_read(self, function: Callable[[], Any]) -> Any:
        """Call a function that reads, on a thread."""
        return await self._readers.run(function)

    async def run(self, function: Callable[[], Any]) -> Any:
        """Call a function that writes, on a thread."""
        return await self._writers.run(function)

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._engine.dispose()

    def _current(self) -> Connection | None:
        return getattr(self._local, "connection", None)


class Threads:
    """A bounded number of threads. A call that does not end in time goes on by itself, and its caller gets an error."""

    def __init__(self, name: str, number: int = THREADS, seconds: float = STATEMENT_SECONDS) -> None:
        self._executor = ThreadPoolExecutor(number, name)
        self._seconds = seconds

    async def run(self, function: Callable[[], Any]) -> Any:
        """Call a function; return its result. Raise `DatabaseTimeout`; a call that still waits is never made then."""
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(self._executor, function)
        except TimeoutError:
            raise DatabaseTimeout(f"the database has not responded for {self._seconds:g} seconds") from None
