"""Swagger UI's files in a folder, with compressed copies, for nginx to serve: `python -m app.static FOLDER`."""

import argparse
import gzip
from pathlib import Path

from app.pages import UI_FILES


def write(folder: Path) -> None:
    """Write the files of `/ui/` into `folder`/ui, and beside each that gets smaller by it a `.gz`."""
    ui = folder / "ui"
    ui.mkdir(parents=True, exist_ok=True)
    for name, source in UI_FILES.items():
        content = Path(source, name).read_bytes()
        compressed = gzip.compress(content, mtime=0)
        (ui / name).write_bytes(content)
        if len(compressed) < len(content):
            (ui / f"{name}.gz").write_bytes(compressed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m app.static", description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
