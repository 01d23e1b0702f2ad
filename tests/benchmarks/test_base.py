"""`make bench-check` compares with the commit where the branch began."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import base


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits on `main`."""
    monkeypatch.setattr(base, "CHECKOUT", tmp_path)
    monkeypatch.setattr(base, "SCRATCH", tmp_path / "var" / "bench")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for name in ("first", "second"):
        commit(tmp_path, name)
    return tmp_path


def git(repository: Path, *arguments: str) -> str:
    """Run git and return its output."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    done = subprocess.run(["git", *identity, *arguments], cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(repository: Path, name: str) -> None:
    """Commit a file with this name."""
    (repository / name).write_text(name)
    git(repository, "add", name)
    git(repository, "commit", "--quiet", "--message", name)


def test_on_the_main_branch_the_base_is_the_commit_before(repository: Path) -> None:
    """There is no other commit to compare with."""
    assert base.default() == git(repository, "rev-parse", "HEAD~1")


def test_on_another_branch_the_base_is_where_it_began(repository: Path) -> None:
    """However many commits it has since."""
    git(repository, "checkout", "--quiet", "-b", "other")
    commit(repository, "third")
    commit(repository, "fourth")
    assert base.default() == git(repository, "rev-parse", "main")


def test_a_commit_is_checked_out_without_later_files_and_removed(repository: Path) -> None:
    """The working tree is not touched."""
    with base.commit("HEAD~1") as service:
        assert sorted(path.name for path in service.folder.iterdir()) == ["first"]
        assert service.label == f"commit {git(repository, 'rev-parse', '--short', 'HEAD~1')}"
    assert not service.folder.exists()
    assert (repository / "second").exists()


def test_a_peer_can_be_the_base() -> None:
    """By its key."""
    with base.contestant("bare-asgi") as peer:
        assert peer.label == "bare ASGI (the limit)"


@pytest.mark.usefixtures("repository")
def test_an_unknown_base_is_an_error() -> None:
    """Git's message says which."""
    with pytest.raises(SystemExit, match="nothing-like-this"), base.contestant("nothing-like-this"):
        pass


def test_a_revision_says_whether_files_have_changed(repository: Path) -> None:
    """Only files that git knows count."""
    (repository / "unknown").write_text("")
    assert base.revision() == git(repository, "rev-parse", "HEAD")
    (repository / "first").write_text("changed")
    assert base.revision() == git(repository, "rev-parse", "HEAD") + ", with changes"
