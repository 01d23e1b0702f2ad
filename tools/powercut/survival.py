"""The ways in which changes that were not synced reach the disk before a power cut, or do not."""

import random
from collections.abc import Callable, Iterator, Sequence

from tools.powercut.disk import Disk, File
from tools.powercut.events import Change, Truncate, Write

SECTORS = (512, 4096)  # bytes that a disk writes as a whole
Content = bytes | bytearray
Survival = Callable[[Disk, random.Random], dict[str, Content]]


def synced(disk: Disk, _random: random.Random) -> dict[str, Content]:
    """Nothing but what was synced."""
    return {name: file.durable for name, file in disk.files(0, folder=False).items()}


def everything(disk: Disk, _random: random.Random) -> dict[str, Content]:
    """Everything."""
    return {name: file.after(file.pending) for name, file in disk.files(len(disk.namings), folder=True).items()}


def subset(disk: Disk, random: random.Random) -> dict[str, Content]:
    """Each change or not, independently."""
    share = random.random()
    return _each(disk, random, lambda file: [change for change in file.pending if random.random() < share])


def torn(disk: Disk, random: random.Random) -> dict[str, Content]:
    """The first ones, and a part of the next: some of its sectors."""

    def some(file: File) -> list[Change]:
        number = random.randint(0, len(file.pending))
        whole, rest = file.pending[:number], file.pending[number : number + 1]
        pieces = list(_pieces(rest, random.choice(SECTORS)))
        return [*whole, *(piece for piece in pieces if random.random() < 0.5)]

    return _each(disk, random, some)


def sectors(disk: Disk, random: random.Random) -> dict[str, Content]:
    """Each sector of each file as it was at any moment since it was synced."""

    def some(file: File) -> list[Change]:
        size = random.choice(SECTORS)
        reached: dict[int, int] = {}

        def has_reached(number: int, piece: Change) -> bool:
            sector = piece.offset // size if isinstance(piece, Write) else -1
            return number <= reached.setdefault(sector, random.randint(-1, len(file.pending)))

        numbered = [(number, piece) for number, one in enumerate(file.pending) for piece in _pieces([one], size)]
        return [piece for number, piece in numbered if has_reached(number, piece)]

    return _each(disk, random, some)


def without_growth(disk: Disk, random: random.Random) -> dict[str, Content]:
    """All bytes within the size that each file had when it was synced; none behind it."""

    def some(file: File) -> list[Change]:
        writes = [change for change in file.pending if isinstance(change, Write)]
        return [*writes, Truncate("", 0, len(file.durable))]

    return _each(disk, random, some)


def growth_alone(disk: Disk, random: random.Random) -> dict[str, Content]:
    """The new size of each file, but no byte: what is new is zero, or anything."""

    def some(file: File) -> list[Change]:
        old, new = len(file.durable), len(file.after(file.pending))
        fill = random.choice((bytes, random.randbytes))
        return [Write("", 0, old, fill(new - old)) if new > old else Truncate("", 0, new)]

    return _each(disk, random, some)


SURVIVALS: dict[str, Survival] = {
    "what was synced": synced,
    "everything": everything,
    "any subset of the writes": subset,
    "a torn last write": torn,
    "sectors of any age": sectors,
    "no growth of files": without_growth,
    "growth without data": growth_alone,
}


def _each(disk: Disk, random: random.Random, some: Callable[[File], list[Change]]) -> dict[str, Content]:
    """Choose some changes of each file, how many of the changes of names, and whether there is a new folder."""
    files = disk.files(random.randint(0, len(disk.namings)), folder=random.random() < 0.5)
    return {name: file.after(some(file)) for name, file in files.items()}


def _pieces(changes: Sequence[Change], size: int) -> Iterator[Change]:
    """Divide writes at the boundaries of sectors."""
    for change in changes:
        if not isinstance(change, Write):
            yield change
            continue
        start, end = change.offset, change.offset + len(change.data)
        while start < end:
            stop = min(end, (start // size + 1) * size)
            yield Write(change.name, change.process, start, change.data[start - change.offset : stop - change.offset])
            start = stop
