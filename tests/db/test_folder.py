"""The folder of a new database survives a power cut: each new name is synced into the folder above it."""

import os
from pathlib import Path

import pytest

from db.folder import create_folder


def test_each_new_folder_is_synced_into_the_one_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the top to the bottom, and only those that are new."""
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    create_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [str(tmp_path), str(tmp_path / "a")]
    create_folder(tmp_path / "a" / "b")
    assert len(synced) == 2


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    """As for `mkdir`."""
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError):
        create_folder(tmp_path / "a")
