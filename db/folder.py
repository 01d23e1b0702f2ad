"""Folders and the names in them, so that a power cut cannot take them away."""

import os
from pathlib import Path


def create_folder(folder: Path) -> None:
    """Create a folder, and those above it, if they do not exist. Raise `OSError`.

    SQLite syncs its files and their folder. The name of a new folder is in the folder above, which it does not sync.
    """
    if folder.is_dir():
        return
    create_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(folder: Path) -> None:
    """Write to the disk which files a folder has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
