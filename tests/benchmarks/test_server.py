"""The processes whose CPU time a benchmark counts."""

import os
import subprocess
import sys
import threading

from benchmarks.server import tree


def test_a_tree_has_children_of_children() -> None:
    """A server's first process starts its workers, and they may start processes, too."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"

        found = tree(process.pid)

        process.communicate(b"\n")
    assert found[0] == process.pid
    assert len(found) == 2


def test_threads_may_end_meanwhile() -> None:
    """Between the listing of a process' threads and the question for the children of one."""
    stop = threading.Event()

    def start_threads() -> None:
        while not stop.is_set():
            threading.Thread(target=bool).start()

    starter = threading.Thread(target=start_threads)
    starter.start()
    try:
        for _ in range(2000):
            assert os.getpid() in tree(os.getpid())
    finally:
        stop.set()
        starter.join()
