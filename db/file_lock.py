"""A lock between processes that wakes the next one at once, where SQLite's own lock makes them sleep and try again."""

import fcntl
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)


class FileLock:
    """One use of an exclusive `flock(2)` on a file. The kernel releases it when the process ends, however it ends.

    It decides only who writes next: SQLite's own lock stays in force. So if the file cannot be opened, nobody waits
    here. The file is opened for each use: it may have been replaced, and a fork cannot inherit the lock.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if nobody has it. Return whether this process may go on."""
        return self._acquire(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def acquire(self) -> None:
        """Take the lock; wait for it without a limit."""
        self._acquire(fcntl.LOCK_EX)

    def acquire_within(self, seconds: float) -> bool:
        """Take the lock; return whether that was possible in this time. `flock` has no limit, so a thread waits."""
        if self.try_acquire():
            return True
        state = threading.Lock()  # whoever takes it first decides: the thread (acquired), or the caller (too late)
        acquired = threading.Event()

        def wait() -> None:
            self.acquire()
            if state.acquire(blocking=False):
                acquired.set()
            else:
                self.release()

        threading.Thread(target=wait, name="file-lock", daemon=True).start()
        return acquired.wait(seconds) or not state.acquire(blocking=False)

    def release(self) -> None:
        """Let the next one go on."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # a fork may have a copy, so closing is not enough
            os.close(self._descriptor)
            self._descriptor = None

    def _acquire(self, operation: int) -> bool:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            logger.debug("Without a lock file, processes wait in SQLite only: %r", error)
            return True
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:  # a file system without locks
            os.close(descriptor)
            return True
        self._descriptor = descriptor
        return True


def remove(path: str) -> None:
    """Remove the file. Who still has it open shares the lock with nobody new."""
    with suppress(OSError):
        Path(path).unlink()
