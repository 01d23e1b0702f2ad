"""Writes the files of `/ui/` and compressed copies to a folder for nginx: `python -m app.static FOLDER`."""

import argparse
import gzip
from pathlib import Path

from app.pages import UI_NAMES, ui_content


def write(folder: Path) -> None:
    """Write the files of `/ui/` to `folder`/ui, with a `.gz` copy of each file that compression makes smaller."""
    ui = folder / "ui"
    ui.mkdir(parents=True, exist_ok=True)
    for name in UI_NAMES:
        content = ui_content(name)
        compressed = gzip.compress(content, mtime=0)
        (ui / name).write_bytes(content)
        if len(compressed) < len(content):
            (ui / f"{name}.gz").write_bytes(compressed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m app.static", description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
