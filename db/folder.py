"""Creates the folder of a database so that a power cut cannot take it away."""

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
    above = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
