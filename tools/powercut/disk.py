"""A model of the disk below one folder: what is durable, and which changes are not yet.

Files and folders are separate, as in POSIX: the content of a new file is durable after a sync of the file, its name
after a sync of the folder, and the name of a new folder after a sync of the folder that has it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tools.powercut.events import (
    FOLDER,
    PARENT,
    Change,
    Create,
    Done,
    Event,
    Issued,
    Link,
    Remove,
    SyncBegins,
    SyncEnds,
    Truncate,
    Write,
)


@dataclass(eq=False)
class File:
    """A file, which can have no name any more. `pending` are the changes that are not durable, in their order."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def after(self, changes: Iterable[Change]) -> bytearray:
        """Return the content when these changes have reached the disk."""
        content = self.durable.copy()
        for change in changes:
            apply(content, change)
        return content


def apply(content: bytearray, change: Change) -> None:
    """Change the content of a file. What lies between its end and an offset behind it is filled with zeros."""
    if isinstance(change, Write):
        end = change.offset + len(change.data)
        if len(content) < change.offset:
            content.extend(bytes(change.offset - len(content)))
        content[change.offset : end] = change.data
    elif isinstance(change, Truncate):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))


Names = dict[str, File]


class Disk:
    """The files of one folder, at first `files`. Feed it the events in their order, and ask what can be on the disk."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self._durable_names: Names = {name: File(bytearray(content)) for name, content in (files or {}).items()}
        self._names: Names = dict(self._durable_names)
        self._done: set[Change] = set()
        self._covered: dict[int, tuple[str, File | None, set[Change]]] = {}
        self._created: dict[Change, File] = {}
        self.folder: list[Change] = []
        """The creation of the folder, if it is not durable."""
        self.namings: list[Change] = []
        """The changes of names in the folder that are not durable."""

    def feed(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, Issued):
            self._issue(event.change)
        elif isinstance(event, Done):
            self._done.add(event.change)
        elif isinstance(event, SyncBegins):
            self._begin_sync(event)
        elif isinstance(event, SyncEnds):
            self._end_sync(event.sync)

    def _issue(self, change: Change) -> None:
        if isinstance(change, Create):
            if change.name == FOLDER:
                self.folder.append(change)
            elif change.name not in self._names:
                self._created[change] = self._names[change.name] = File()
                self.namings.append(change)
        elif isinstance(change, Remove):
            del self._names[change.name]
            self.namings.append(change)
        elif isinstance(change, Link):
            self._created[change] = self._names[change.name] = self._names[change.old]
            if change.is_rename:
                del self._names[change.old]
            self.namings.append(change)
        else:
            self._names[change.name].pending.append(change)

    def _begin_sync(self, event: SyncBegins) -> None:
        """Note what the sync covers: the changes that have ended. Later ones may reach the disk as well, or not."""
        file = self._names.get(event.name)
        self._covered[event.sync] = (
            event.name,
            file,
            {one for one in self._pending(event.name, file) if one in self._done},
        )

    def _pending(self, name: str, file: File | None) -> list[Change]:
        if name == PARENT:
            return self.folder
        if name == FOLDER:
            return self.namings
        return file.pending if file else []

    def _end_sync(self, sync: int) -> None:
        """Make durable what the sync covers, except for what another sync has made durable already."""
        name, file, covered = self._covered.pop(sync)
        pending = self._pending(name, file)
        now = [change for change in pending if change in covered]
        pending[:] = [change for change in pending if change not in covered]
        if name == FOLDER:
            self._durable_names = self._named(now)
        elif file:
            for change in now:
                apply(file.durable, change)
        self._done -= covered

    def _named(self, namings: Sequence[Change]) -> Names:
        """Return the durable names after these changes."""
        names = dict(self._durable_names)
        for change in namings:
            if change in self._created:
                names[change.name] = self._created[change]
            else:
                names.pop(change.name, None)
            if isinstance(change, Link) and change.is_rename:
                names.pop(change.old, None)
        return names

    def files(self, namings: int, folder: bool) -> Names:  # noqa: FBT001 -- both say what has reached the disk
        """Return the files when this number of changes of names has reached the disk, and the new folder or not.

        Journaling file systems keep the order of changes in one folder, so these are always the first ones.
        """
        return self._named(self.namings[:namings]) if folder or not self.folder else {}
