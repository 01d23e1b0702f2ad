"""What a database can have after a power cut: every acknowledged write, and each other one as a whole or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tools.powercut.clients import RETRY, Name, Request, Row, load, save
from tools.powercut.history import History, Outcome
from tools.powercut.migration import KeptCopy
from tools.powercut.rebuilt import check

OLD, NEW, OTHER = (1, "old", None, "t1", "t1", 1), (1, "new", None, "t1", "t2", 2), (2, "other", None, "t3", "t3", 1)
REQUESTS = [
    Request("c-0", 0, "create", 1, 201, OLD),
    Request("c-1", 0, "update", 1, 200, NEW),
    Request("c-2", 0, "update", 1, 503, None),
    Request("c-3", 0, "delete", 1, 204, None),
    Request("d-0", 1, "create", 2, 201, OTHER),
]


def _history(*sent: str) -> History:
    history = History(REQUESTS)
    for request_id in sent:
        history.sent(request_id)
    return history


@pytest.mark.parametrize(
    ("sent", "rows", "outcome"),
    [
        ([], [], Outcome.OK),
        ([], [OLD], Outcome.OK),  # done, and not acknowledged yet
        ([], [OLD, OTHER], Outcome.OK),
        ([], [NEW], Outcome.DAMAGED),  # nobody has sent the second request yet
        (["c-0"], [OLD], Outcome.OK),
        (["c-0"], [NEW], Outcome.OK),
        (["c-0"], [], Outcome.LOST),
        (["c-0"], [OLD[:1] + NEW[1:2] + OLD[2:]], Outcome.DAMAGED),  # a mixture
        (["c-0", "c-1"], [OLD], Outcome.LOST),
        (["c-0", "c-1"], [], Outcome.LOST),
        (["c-0", "c-1", "c-2"], [NEW], Outcome.OK),  # a 503 has changed nothing
        (["c-0", "c-1", "c-2"], [], Outcome.OK),
        (["c-0", "c-1", "c-2", "c-3"], [NEW], Outcome.LOST),  # deleted, and there again
        (["c-0", "c-1", "c-2", "c-3", "d-0"], [OTHER], Outcome.OK),
        (["d-0"], [OTHER, (3, *OTHER[1:])], Outcome.DAMAGED),  # nobody has created it
    ],
)
def test_rows_are_compared_with_the_responses(sent: list[str], rows: list[Row], outcome: Outcome) -> None:
    """The text names the item, unless the rows are right."""
    found, text = _history(*sent).compare({row[0]: row for row in rows})
    assert found is outcome
    assert text.startswith("item ") == (outcome is not Outcome.OK)


KEYED = Request("k-0", 0, "create with a key", 1, 201, OLD, "key", (201, "{}"))
REPEATED = Request("k-1", 0, RETRY, 1, 201, None)


@pytest.mark.parametrize(
    ("sent", "found", "outcome"),
    [
        ([], {}, Outcome.OK),
        ([], {1: OLD, "key": (201, "{}")}, Outcome.OK),
        ([], {1: OLD}, Outcome.DAMAGED),  # a retry would create a second item
        ([], {"key": (201, "{}")}, Outcome.DAMAGED),  # a retry would create none
        (["k-0"], {1: OLD}, Outcome.LOST),
        (["k-0", "k-1"], {1: OLD, "key": (201, "{}")}, Outcome.OK),
    ],
)
def test_a_row_and_the_response_for_its_key_are_there_together(
    sent: list[str], found: dict[Name, Row], outcome: Outcome
) -> None:
    """Or neither is; a request that is repeated changes nothing."""
    history = History([KEYED, REPEATED])
    for request_id in sent:
        history.sent(request_id)
    assert history.compare(found)[0] is outcome
    assert history.kinds == {"k-0": "create with a key"}


def test_damage_is_reported_before_a_loss() -> None:
    """Whatever the order of the items."""
    history = _history("c-0", "d-0")
    assert history.compare({2: (2, "x", None, "", "", 1)})[0] is Outcome.DAMAGED
    assert history.compare({1: (1, "x", None, "", "", 1)})[0] is Outcome.DAMAGED


def test_responses_must_come_in_the_order_of_the_requests() -> None:
    """A trace that lacks one is of no use."""
    with pytest.raises(ValueError, match="c-1 is sent before that to c-0"):
        _history("c-1")
    assert _history("c-0").without_response() == 4


def test_rows_before_the_first_request_are_acknowledged() -> None:
    """And their ids are assigned."""
    history = History(REQUESTS, {7: (7, *OLD[1:])})
    assert history.compare({7: (7, *OLD[1:])}) == (Outcome.OK, "")
    assert history.compare({})[0] is Outcome.LOST
    assert history.highest_id == 7


def test_requests_are_saved_and_loaded(tmp_path: Path) -> None:
    """For cutting a recording again."""
    save(tmp_path / "requests.json", [*REQUESTS, KEYED])
    assert load(tmp_path / "requests.json") == [*REQUESTS, KEYED]


def _database(folder: Path, *rows: Row, highest: int) -> dict[str, bytes]:
    file = folder / "made.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(
            "CREATE TABLE items "
            "(id INTEGER PRIMARY KEY AUTOINCREMENT, name, description, created_at, updated_at, version)"
        )
        connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("UPDATE sqlite_sequence SET seq = ?", (highest,))
        connection.commit()
    return {"items.db": file.read_bytes()}


def test_a_database_is_opened_and_compared(tmp_path: Path) -> None:
    """An empty folder is an empty database; afterwards, the folder is empty again."""
    room = tmp_path / "room"
    room.mkdir()
    history = _history("c-0")
    right = _database(tmp_path, OLD, highest=1)
    assert check(room / "items.db", right, history) == (Outcome.OK, "")
    assert check(room / "items.db", {}, History([])) == (Outcome.OK, "")
    assert check(room / "items.db", {}, history)[0] is Outcome.LOST
    assert list(room.iterdir()) == []


def test_an_id_that_could_be_assigned_again_is_a_loss(tmp_path: Path) -> None:
    """Item 1 was created and deleted, and the database does not know it any more."""
    room = tmp_path / "room"
    room.mkdir()
    history = _history("c-0", "c-1", "c-2", "c-3", "d-0")
    forgotten = _database(tmp_path, OTHER, highest=1)
    expected = (Outcome.LOST, "id 2 was acknowledged, and 2 is assigned next")
    assert check(room / "items.db", forgotten, history) == expected


def test_a_migrated_database_has_a_copy_of_the_rows_before(tmp_path: Path) -> None:
    """Until it is migrated, there may be none."""
    room = tmp_path / "room"
    room.mkdir()
    history, copy = _history("c-0"), KeptCopy("items.db.before-0002", {1: OLD})
    old = _database(tmp_path, OLD, highest=1)["items.db"]
    assert check(room / "items.db", {"items.db": old}, history, copy) == (Outcome.OK, "")
    with closing(sqlite3.connect(tmp_path / "made.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('0002')")
        connection.commit()
    new = (tmp_path / "made.db").read_bytes()
    assert check(room / "items.db", {"items.db": new}, history, copy)[0] is Outcome.LOST
    assert check(room / "items.db", {"items.db": new, copy.name: old}, history, copy) == (Outcome.OK, "")
    other = KeptCopy(copy.name, {1: NEW})
    assert check(room / "items.db", {"items.db": new, copy.name: old}, history, other)[0] is Outcome.DAMAGED


@pytest.mark.parametrize("offset", [0, 4096])
def test_a_damaged_database_is_found(tmp_path: Path, offset: int) -> None:
    """Whether SQLite cannot open it, or `integrity_check` finds it."""
    room = tmp_path / "room"
    room.mkdir()
    content = bytearray(_database(tmp_path, OLD, highest=1)["items.db"])
    content[offset : offset + 512] = b"\7" * 512
    assert check(room / "items.db", {"items.db": content}, _history("c-0"))[0] is Outcome.DAMAGED
