"""Writes the files of `/ui/` and `/problems/`, also compressed, into a folder for nginx: `python -m app.static DIR`."""

import argparse
import gzip
from collections.abc import Iterator
from pathlib import Path

import yaml

from app import SPECIFICATION, problem_pages
from app.pages import UI_NAMES, ui_content
from app.specfile import SafeLoader


def write(folder: Path) -> None:
    """Write the files to `folder`, with a `.gz` copy of each file that compression makes smaller."""
    for name, content in _files():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        compressed = gzip.compress(content, mtime=0)
        file.write_bytes(content)
        if len(compressed) < len(content):
            file.with_name(f"{file.name}.gz").write_bytes(compressed)


def _files() -> Iterator[tuple[str, bytes]]:
    specification = yaml.load(SPECIFICATION.read_bytes(), Loader=SafeLoader)  # noqa: S506 -- it is a safe one
    for name in UI_NAMES:
        yield f"ui/{name}", ui_content(name)
    for name in problem_pages.names():
        yield f"problems/{name}.html", problem_pages.page(name, specification)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m app.static", description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
