"""The writer of lines never waits, writes lines as a whole, and counts what it drops."""

import fcntl
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import log_writer
from app.log_writer import MAX_LINE, MAX_WAITING, LineWriter

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe: the end to read, and the end to write."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def _report(dropped: int) -> str:
    return f"dropped {dropped}\n"


def _writer(descriptor: int) -> LineWriter:
    return LineWriter(descriptor, _report)


def _lines(first: int, number: int = 50) -> list[str]:
    return [f"{at} {'x' * 90}\n" for at in range(first, first + number)]


def _read(pipe: Pipe, writer: LineWriter) -> list[str]:
    """Read until nothing is left."""
    text = b""
    os.set_blocking(pipe[0], False)
    while True:
        done = writer.flush()
        try:
            text += os.read(pipe[0], 1 << 20)
        except BlockingIOError:
            assert done
            return text.decode().splitlines()


def test_lines_are_written_in_their_order(pipe: Pipe) -> None:
    """They are written when they are flushed."""
    writer = _writer(pipe[1])
    writer.put(["a\n", "b\n"])
    writer.put(["ü\ud800\n"])
    assert _read(pipe, writer) == ["a", "b", "ü\\ud800"]
    writer.close()


def test_a_pipe_that_nobody_reads_is_not_waited_for(pipe: Pipe) -> None:
    """All lines are there once it is read, except those that were dropped, whose number the log has."""
    writer, put = _writer(pipe[1]), 0
    while not writer._dropped:
        writer.put(_lines(put))
        writer.flush()
        put += 50
    writer.put(_lines(put))
    *lines, report = _read(pipe, writer)
    assert sum(len(line) + 1 for line in lines) >= MAX_WAITING
    assert [line.split()[0] for line in lines] == [str(at) for at in range(len(lines))]
    assert report == f"dropped {put + 50 - len(lines)}"
    writer.put(["later\n"])
    assert _read(pipe, writer) == ["later"]
    writer.close()


def test_the_number_is_there_at_the_end(pipe: Pipe) -> None:
    """Closing writes what is left as long as it is read."""
    writer = _writer(pipe[1])
    while not writer._dropped:
        writer.put(_lines(0))
        writer.flush()
    text = []
    reader = threading.Thread(target=lambda: text.append(_read_all(pipe[0])))
    reader.start()
    writer.close()
    _end(pipe)
    reader.join()
    assert text[0].endswith(b"\ndropped 50\n")


def _end(pipe: Pipe) -> None:
    """Let the reader see the end."""
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), pipe[1])


def _read_all(descriptor: int) -> bytes:
    text = b""
    while piece := os.read(descriptor, 65536):
        text += piece
    return text


def test_closing_gives_up_if_nobody_reads(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process can end."""
    monkeypatch.setattr("app.log_writer._PATIENCE", 0)
    writer = _writer(pipe[1])
    writer.put(_lines(0, 2000))
    writer.close()


def test_others_with_the_same_pipe_still_wait(pipe: Pipe) -> None:
    """The open file is shared, and so would be O_NONBLOCK on it."""
    writer = _writer(pipe[1])
    writer.put(["a\n"])
    writer.flush()
    assert not fcntl.fcntl(pipe[1], fcntl.F_GETFL) & os.O_NONBLOCK
    writer.close()


def test_a_reader_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised."""
    monkeypatch.setattr("app.log_writer._PATIENCE", 0)
    read, write = os.pipe()
    writer = _writer(write)
    os.close(read)
    writer.put(["a\n"])
    assert not writer.flush()
    writer.close()
    os.close(write)


def test_a_socket_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be opened again, so the writer asks first."""
    monkeypatch.setattr("app.log_writer._PATIENCE", 0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer = _writer(ours.fileno())
        while writer.flush():
            writer.put(_lines(0))
        theirs.settimeout(10)
        assert theirs.recv(2) == b"0 "
        writer.close()


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    """Other programs may write to the same open file."""
    with (tmp_path / "log").open("wb", buffering=0) as file:
        file.write(b"before\n")
        writer = _writer(file.fileno())
        writer.put(_lines(0, 2000))
        assert writer.flush()
        writer.close()
        file.write(b"after\n")
    assert (tmp_path / "log").read_text() == "".join(["before\n", *_lines(0, 2000), "after\n"])


def _process(code: str, pipe: Pipe, *arguments: str) -> subprocess.Popen[bytes]:
    """Run code with a `LineWriter` in a process whose standard error is the pipe."""
    start = 'import os, runpy, sys; LineWriter = runpy.run_path(sys.argv[1])["LineWriter"]\n'
    command = [sys.executable, "-c", start + code, log_writer.__file__, *arguments]
    return subprocess.Popen(command, stderr=pipe[1])


FORK = """
writer = LineWriter(2, str)
writer.put(["parent\\n"])
if os.fork() == 0:
    writer.put(["child\\n"])
    writer.flush()
    os._exit(0)
os.wait()
writer.flush()
"""


def test_a_forked_process_does_not_write_the_lines_of_its_parent(pipe: Pipe) -> None:
    """They would be in the log twice."""
    assert _process(FORK, pipe).wait() == 0
    assert os.read(pipe[0], 100) == b"child\nparent\n"


WRITE_LINES = """
name = sys.argv[2]
writer = LineWriter(2, str)
for number in range(300):
    writer.put([f"{name} {number} {'x' * size}\\n" for size in (10, 200, 3900)])
    while not writer.flush():
        os.sched_yield()
"""


def test_the_lines_of_several_processes_do_not_mix(pipe: Pipe) -> None:
    """Each line is there as it was written, although the pipe is full most of the time."""
    processes = [_process(WRITE_LINES, pipe, name) for name in "abc"]
    _end(pipe)
    lines = _read_all(pipe[0]).decode().splitlines()
    assert [process.wait() for process in processes] == [0, 0, 0]
    expected = [f"{name} {at} {'x' * size}" for name in "abc" for at in range(300) for size in (10, 200, 3900)]
    assert sorted(lines) == sorted(expected)
    assert max(map(len, lines)) < MAX_LINE
