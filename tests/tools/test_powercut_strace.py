"""The output of strace: calls that other threads interrupt keep the moments of their entry and their exit."""

import pytest

from tools.powercut.strace import Call, TraceError, hexadecimal, read

FILE = hexadecimal("/f")


def test_a_call_on_one_line_has_one_moment() -> None:
    """Its arguments are decoded: strings, the paths of descriptors, numbers."""
    line = f'7 pwrite64(3<{FILE}>, "\\x00\\x22\\xff", 3, 4096) = 3\n'
    (call,) = read([line], [FILE])
    assert (call.name, call.thread, call.result, call.entry, call.exit) == ("pwrite64", 7, 3, 0, 0)
    assert (call.strings(), call.descriptors(), call.number(-1), call.number(-2)) == ([b'\0"\xff'], ["/f"], 4096, 3)


def test_an_interrupted_call_has_two_moments() -> None:
    """Others are between its entry and its exit."""
    lines = [f"7 fsync(3<{FILE}> <unfinished ...>", f"8 fsync(4<{FILE}>) = 0", "7 <... fsync resumed>)          = 0"]
    assert [(call.thread, call.entry, call.exit) for call in read(lines, [FILE])] == [(8, 1, 1), (7, 0, 2)]


def test_a_call_whose_process_is_killed_has_no_exit() -> None:
    """Whether it was executed is not known."""
    line = f"7 fsync(3<{FILE}> <unfinished ...>"
    expected = [Call("fsync", 7, f"3<{FILE}>", None, 0, None)]
    assert list(read([line], [FILE])) == expected
    assert [call.result for call in read([f"7 fsync(3<{FILE}>) = ?"], [FILE])] == [None]


def test_calls_of_other_files_are_skipped() -> None:
    """Their ends, too."""
    lines = ["7 fsync(3<\\x61> <unfinished ...>", "7 <... fsync resumed>) = 0", "7 fsync(3<\\x61>) = 0"]
    assert list(read(lines, [FILE])) == []


def test_a_deleted_file_has_no_path() -> None:
    """A write to it is not in the folder."""
    (call,) = read([f"7 fsync(3<{FILE}>(deleted)) = 0"], [FILE])
    assert call.descriptors() == [""]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f'7 write(3<{FILE}>, "\\x61"..., 9) = 9', "strace has shortened an argument of write"),
        (f"7 fsync(3<{FILE}>", "line 1 of the trace is not a call"),
        ("strace: out of memory", "line 1 of the trace is not a call"),
    ],
)
def test_a_trace_that_lacks_something_is_refused(line: str, message: str) -> None:
    """Nothing is assumed about what is missing."""
    with pytest.raises(TraceError, match=message):
        [call.strings() for call in read([line], [FILE])]
