"""The model of the disk: what is durable, and every way in which the rest can reach the disk."""

import random
from pathlib import Path

import pytest

from tests.tools.powercut import DATABASE, create, path, sync, traced, unfinished, write
from tools.powercut.disk import Disk
from tools.powercut.strace import hexadecimal
from tools.powercut.survival import SURVIVALS, everything, synced

FILE = "items.db"
NEW = [create(FILE), sync("")]
COPY = "items.db.before-0002"
UNLINK = f'1 unlink("{path(FILE)}") = 0'


def _disk(folder: Path, lines: list[str]) -> Disk:
    disk = Disk()
    for event in traced(folder, lines):
        disk.feed(event)
    return disk


def _can_be(disk: Disk, survival: str) -> set[bytes | None]:
    """Return what the file can contain; None if it can be missing."""
    found = [SURVIVALS[survival](disk, random.Random(seed)).get(FILE) for seed in range(300)]
    return {None if content is None else bytes(content) for content in found}


def test_what_was_synced_is_durable(tmp_path: Path) -> None:
    """And later writes are not."""
    disk = _disk(tmp_path, [*NEW, write(FILE, 0, b"abc"), sync(FILE), write(FILE, 2, b"xyz")])
    assert _can_be(disk, "what was synced") == {b"abc"}
    assert _can_be(disk, "everything") == {b"abxyz"}


def test_files_before_the_first_event_are_durable() -> None:
    """With their names."""
    assert _can_be(Disk({FILE: b"abc"}), "what was synced") == {b"abc"}


def test_a_sync_does_not_cover_a_write_that_ends_after_its_begin(tmp_path: Path) -> None:
    """Nor is anything durable before its end."""
    entry, end = unfinished(write(FILE, 0, b"ab", thread=1))
    begins, ends = unfinished(sync(FILE, thread=2))
    assert _can_be(_disk(tmp_path, [*NEW, entry, begins, end, ends]), "what was synced") == {b""}
    assert _can_be(_disk(tmp_path, [*NEW, entry, end, begins]), "what was synced") == {b""}
    assert _can_be(_disk(tmp_path, [*NEW, entry, end, begins, ends]), "what was synced") == {b"ab"}


def test_two_syncs_at_the_same_time_cover_what_each_found(tmp_path: Path) -> None:
    """The later one ends first."""
    first, second = unfinished(sync(FILE, thread=1)), unfinished(sync(FILE, thread=2))
    lines = [*NEW, write(FILE, 0, b"a"), first[0], write(FILE, 1, b"b"), second[0], second[1], write(FILE, 0, b"c")]
    assert _can_be(_disk(tmp_path, lines), "what was synced") == {b"ab"}
    assert _can_be(_disk(tmp_path, [*lines, first[1]]), "what was synced") == {b"ab"}


def test_the_name_of_a_file_is_durable_after_a_sync_of_its_folder(tmp_path: Path) -> None:
    """A sync of the file alone is not enough, and neither to remove it."""
    lines = [create(FILE), write(FILE, 0, b"a"), sync(FILE)]
    assert _can_be(_disk(tmp_path, lines), "what was synced") == {None}
    assert _can_be(_disk(tmp_path, lines), "any subset of the writes") == {None, b"a"}
    assert _can_be(_disk(tmp_path, [*lines, sync("")]), "any subset of the writes") == {b"a"}
    assert _can_be(_disk(tmp_path, [*lines, sync(""), UNLINK]), "any subset of the writes") == {None, b"a"}
    assert _can_be(_disk(tmp_path, [*lines, sync(""), UNLINK, sync("")]), "any subset of the writes") == {None}


def test_a_file_that_is_made_again_is_another_one(tmp_path: Path) -> None:
    """Until the folder is synced, the old one can still be there with its content."""
    again = [*NEW, write(FILE, 0, b"old"), sync(FILE), UNLINK, create(FILE), write(FILE, 0, b"new"), sync(FILE)]
    assert _can_be(_disk(tmp_path, again), "any subset of the writes") == {b"old", None, b"new"}
    assert _can_be(_disk(tmp_path, [*again, sync("")]), "any subset of the writes") == {b"new"}


def test_a_new_folder_is_durable_after_a_sync_of_the_one_above(tmp_path: Path) -> None:
    """Syncs below it are not enough."""
    lines = [f'1 mkdir("{hexadecimal(str(DATABASE.parent))}", 0777) = 0', *NEW]
    assert _can_be(_disk(tmp_path, lines), "what was synced") == {None}
    above = f"1 fsync(3<{hexadecimal(str(DATABASE.parent.parent))}>) = 0"
    assert _can_be(_disk(tmp_path, [*lines, above]), "what was synced") == {b""}


@pytest.mark.parametrize(("call", "names"), [("link", [FILE, COPY]), ("rename", [COPY])])
def test_a_file_has_another_name_after_a_sync_of_its_folder(tmp_path: Path, call: str, names: list[str]) -> None:
    """Its first name is removed by a rename, in the same moment."""
    lines = [*NEW, write(FILE, 0, b"a"), sync(FILE), f'1 {call}("{path(FILE)}", "{path(COPY)}") = 0']
    for done, expected in ((lines, [FILE]), ([*lines, sync("")], names)):
        disk = _disk(tmp_path, done)
        assert synced(disk, random.Random(0)) == dict.fromkeys(expected, b"a")
        assert everything(disk, random.Random(0)) == dict.fromkeys(names, b"a")


@pytest.mark.parametrize(
    ("survival", "contents"),
    [
        ("what was synced", {b"----"}),
        ("everything", {b"a--bcd"}),
        ("any subset of the writes", {b"----", b"a---", b"---bcd", b"a--bcd"}),
        ("a torn last write", {b"----", b"a---", b"a--bcd"}),
        ("no growth of files", {b"a--b"}),
    ],
)
def test_writes_reach_the_disk_in_every_way(tmp_path: Path, survival: str, contents: set[bytes]) -> None:
    """All of them are found, and no other."""
    lines = [*NEW, write(FILE, 0, b"----"), sync(FILE), write(FILE, 0, b"a"), write(FILE, 3, b"bcd")]
    assert _can_be(_disk(tmp_path, lines), survival) == contents


def test_a_write_is_torn_at_a_sector(tmp_path: Path) -> None:
    """Here the second sector begins in the middle of the write."""
    disk = _disk(tmp_path, [*NEW, write(FILE, 510, b"abcd")])
    torn = {b"", bytes(510) + b"ab", bytes(512) + b"cd", bytes(510) + b"abcd"}
    assert _can_be(disk, "a torn last write") == torn
    assert _can_be(disk, "sectors of any age") == torn


def test_a_sector_has_the_writes_up_to_a_moment(tmp_path: Path) -> None:
    """The second write without the first would need two versions of one sector."""
    disk = _disk(tmp_path, [*NEW, write(FILE, 0, b"ab"), write(FILE, 1, b"x")])
    assert _can_be(disk, "sectors of any age") == {b"", b"ab", b"ax"}


def test_a_file_can_grow_without_its_data(tmp_path: Path) -> None:
    """What is new is zero, or anything; a file that became shorter is shorter."""
    lines = [*NEW, write(FILE, 0, b"ab"), sync(FILE)]
    grown = _can_be(_disk(tmp_path, [*lines, write(FILE, 0, b"xyz")]), "growth without data")
    assert b"ab\0" in grown
    assert len(grown) > 10
    assert {len(content or b"") for content in grown} == {3}
    shorter = f"1 ftruncate(3<{path(FILE)}>, 1) = 0"
    assert _can_be(_disk(tmp_path, [*lines, shorter]), "growth without data") == {b"a"}


def test_everything_is_what_a_reader_sees(tmp_path: Path) -> None:
    """And the state between two events does not change by asking."""
    disk = _disk(tmp_path, [*NEW, write(FILE, 0, b"abc"), f"1 ftruncate(3<{path(FILE)}>, 5) = 0"])
    source = random.Random(0)
    assert [everything(disk, source), synced(disk, source)] == [{FILE: b"abc\0\0"}, {FILE: b""}]
    assert everything(disk, source) == {FILE: b"abc\0\0"}
