"""One writer per process and event loop: calls that wait for each other share one transaction (group commit)."""

import asyncio
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from db.sqlite import is_code
from db.turns import Outcome, Turn, Turns

GROUP_CALLS = 100
GROUP_SECONDS = 0.02
QUICK_COMMIT_SECONDS = 0.002  # while commits take less, a thread switch is not worth it for one call alone
QUICKEST_COMMIT_SECONDS = 0.0002  # while they take less, it is not worth it for any number of calls
ALONE = 8  # turns with one call each, after which the next call is not expected to have company


OnCommit = Callable[[int, float, list[float]], None]
"""A function that is called for each commit: how many calls share it, and its seconds.

The third argument has the seconds of each call, from `run()` to its end.
"""


class _Call(NamedTuple):
    function: Callable[[], Any]
    future: "asyncio.Future[Any]"
    deadline: float
    began: float


class Writer:
    """Runs calls one after the other on the event loop, in turns. Their results are given out after the commit.

    The event loop never waits: the beginning of a turn waits for others on a thread, and so does a commit, unless
    commits are quick at the moment.
    """

    def __init__(self, turns: Turns, loop: asyncio.AbstractEventLoop, on_commit: OnCommit | None = None) -> None:
        self.loop = loop
        self._on_commit = on_commit
        self._last_commit_seconds = 0.0
        self._turns = turns
        self._calls: deque[_Call] = deque()
        self._is_active = False
        self._timer: asyncio.TimerHandle | None = None
        self._commit_seconds = QUICKEST_COMMIT_SECONDS  # not known yet: quick enough for one call, not for several
        self._alone = 0
        self._thread = Background()

    async def run(self, function: Callable[[], Any]) -> Any:
        """Call a function in a turn; return its result, or raise what it raised, after the commit."""
        if self._alone >= ALONE and not self._is_active and self._commit_seconds < QUICK_COMMIT_SECONDS:
            turn = self._turns.try_begin()
            if turn is not None:
                return self._run_alone(turn, function)
        future = self.loop.create_future()
        deadline = self.loop.time() + self._turns.seconds
        self._calls.append(_Call(function, future, deadline, time.monotonic()))
        if self._timer is None:
            self._timer = self.loop.call_at(deadline, self._expire)
        if not self._is_active:
            self._is_active = True
            self.loop.call_soon(self._start)  # after the other requests that have arrived: they share the turn
        return await future

    def _run_alone(self, turn: Turn, function: Callable[[], Any]) -> Any:
        """Do it at once. Calls that come before the event loop's next round are company: they share a turn then."""
        self._is_active = True
        self.loop.call_soon(self._next)
        began = time.monotonic()
        outcome = turn.call(function)
        failure = self._commit(turn)
        if self._on_commit is not None and failure is None:
            self._on_commit(1, self._last_commit_seconds, [time.monotonic() - began])
        error = failure or outcome.error
        if error is not None:
            raise error
        return outcome.result

    def _start(self) -> None:
        try:
            turn = self._turns.try_begin()
        except Exception as error:  # noqa: BLE001 -- raised in every call
            self._refuse(error)
            return
        if turn is None:
            self._alone = 0
            self._thread.run(self._begin_on_thread)
        else:
            self._serve(turn)

    def _begin_on_thread(self) -> None:
        try:
            turn = self._turns.begin_on_thread()
        except Exception as error:  # noqa: BLE001 -- raised in every call
            self._soon(self._not_begun, error)
        else:
            if not self._soon(self._serve, turn):
                turn.rollback()

    def _not_begun(self, error: Exception) -> None:
        if is_code(error, sqlite3.SQLITE_BUSY):  # the calls that have waited as long as that are gone
            self._next()
        else:
            self._refuse(error)

    def _serve(self, turn: Turn) -> None:
        """Run the calls that are waiting, at most for a while; later ones wait for the next turn."""
        done: list[tuple[_Call, Outcome]] = []
        end = time.monotonic() + GROUP_SECONDS
        while self._calls and len(done) < GROUP_CALLS and turn.failure is None:
            call = self._calls.popleft()
            if not call.future.done():  # its request was cancelled
                done.append((call, turn.call(call.function)))
                if time.monotonic() > end:
                    break
        self._alone = self._alone + 1 if len(done) < 2 else 0
        quick = QUICK_COMMIT_SECONDS if len(done) < 2 else QUICKEST_COMMIT_SECONDS
        if self._commit_seconds < quick and not self._turns.wal.has_grown():
            self._finish(done, self._commit(turn))
        else:
            self._thread.run(lambda: self._soon(self._finish, done, self._commit(turn)))

    def _commit(self, turn: Turn) -> BaseException | None:
        """End the turn; return the error because of which none of its calls took effect."""
        if turn.failure is not None:
            turn.rollback()
            return turn.failure
        start = time.monotonic()
        try:
            turn.commit()
        except Exception as error:  # noqa: BLE001 -- raised in every call
            return error
        finally:
            self._last_commit_seconds = time.monotonic() - start
            self._commit_seconds = max(self._last_commit_seconds, self._commit_seconds * 0.5)
        return None

    def _finish(self, done: list[tuple[_Call, Outcome]], failure: BaseException | None) -> None:
        if self._on_commit is not None and done and failure is None:
            now = time.monotonic()
            self._on_commit(len(done), self._last_commit_seconds, [now - call.began for call, _ in done])
        for call, outcome in done:
            error = failure or outcome.error
            if call.future.done():
                continue
            if error is not None:
                call.future.set_exception(error)
            else:
                call.future.set_result(outcome.result)
        self._next()

    def _next(self) -> None:
        self._is_active = bool(self._calls)
        if self._is_active:
            self.loop.call_soon(self._start)  # after the responses, so that other processes have a chance

    def _refuse(self, error: Exception) -> None:
        """Raise an error in all calls that are waiting."""
        calls, self._calls = self._calls, deque()
        self._finish([(call, Outcome()) for call in calls], error)

    def _expire(self) -> None:
        """Refuse the calls that have waited too long."""
        while self._calls and self._calls[0].deadline <= self.loop.time():
            call = self._calls.popleft()
            if not call.future.done():
                call.future.set_exception(self._turns.timeout())
        self._timer = self.loop.call_at(self._calls[0].deadline, self._expire) if self._calls else None

    def _soon(self, callback: Callable[..., None], *arguments: Any) -> bool:
        """Go on on the event loop; return whether it is still there."""
        try:
            self.loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:  # it is closed
            return False
        return True


class Background:
    """One thread, started when it is needed. The process can end while it waits."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, job: Callable[[], Any]) -> None:
        """Run a job, after the earlier ones."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            self._jobs.get()()
