"""`python -m tools.contract_diff BASE FILE`: what it prints, with which lines, and its exit status."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from app.settings import ROOT
from tests.tools.contracts import BASE, PUT, diff, edited
from tools.contract_diff.__main__ import asks_for_major, main

THINGS = """\
openapi: 3.0.3
info: {title: Things, version: 1.2.0}
paths:
  /things:
    $ref: "paths.yaml#/things"
"""
PATHS = """\
things:
  get:
    operationId: list_things
    parameters:
      - name: size
        in: query
        schema: {$ref: "#/size"}
      - $ref: "#/parameters/mode"
    responses:
      "200":
        description: All of them
        content:
          application/json:
            schema:
              $ref: "schemas.yaml#/Things"
      "404":
        description: None
parameters:
  mode:
    name: mode
    in: query
    schema: {type: string}
size:
  type: integer
  maximum: 9
"""
SCHEMAS = """\
Things:
  type: array
  items: {$ref: "#/Thing"}
Thing:
  type: object
  properties:
    name:
      type: string
      maxLength: 9
      pattern: ^a
    parts: {$ref: "#/Things"}
"""
GIT = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]


def commit(folder: Path, **texts: str) -> None:
    """Write the files and commit them."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x", "--no-gpg-sign"]):
        subprocess.run([*GIT, *arguments], check=True, cwd=folder)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a contract of three files, committed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "api").mkdir()
    commit(tmp_path / "api", things=THINGS, paths=PATHS, schemas=SCHEMAS)
    return tmp_path / "api"


def replace(file: Path, *pairs: tuple[str, str]) -> None:
    """Replace texts in a file, each of which must be there."""
    text = file.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")


def test_each_change_has_its_file_and_line(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line of the new file; if the part is gone, that of the old file, with its revision."""
    parameter = "      - name: size\n        in: query\n        schema: {$ref: '#/size'}\n".replace("'", '"')
    replace(repository / "paths.yaml", (parameter, ""), ("      - $ref", "      # More\n      - $ref"))
    replace(repository / "paths.yaml", ("schema: {type: string}", "schema: {type: string, enum: [a]}"))
    replace(repository / "schemas.yaml", ("maxLength: 9", "maxLength: 10"), ("      pattern: ^a\n", ""))
    replace(repository / "schemas.yaml", ("    parts", "    size: {}\n    parts"))
    assert main("HEAD", "api/things.yaml") == 1
    assert capsys.readouterr().out.splitlines() == [
        "api/paths.yaml:5 at HEAD breaking   GET /things, query parameter size: is gone",
        "api/paths.yaml:20 breaking   GET /things, query parameter mode: enum is new",
        "api/schemas.yaml:9 breaking   GET /things, response 200, [].name: maxLength was 9, is 10",
        "api/schemas.yaml:10 at HEAD breaking   GET /things, response 200, [].name: pattern was ^a, is none",
        "api/schemas.yaml:10 compatible GET /things, response 200, [].size: is new",
        "api/things.yaml: 5 changes since HEAD (1.2.0, now 1.2.0), 4 of them breaking.",
        "A change that breaks clients asks for info.version 2.0.0.",
    ]


def test_files_that_are_referred_to_are_read_at_the_same_revision(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that is not committed yet is new; one that was deleted is still there at BASE."""
    (repository / "schemas.yaml").rename(repository / "models.yaml")
    replace(repository / "paths.yaml", ("schemas.yaml", "models.yaml"))
    assert main("HEAD", "api/things.yaml") == 0
    commit(repository)
    replace(repository / "models.yaml", ("maxLength: 9", "maxLength: 8"))
    assert main("HEAD~1", "api/things.yaml") == 0
    assert "api/models.yaml:9 compatible GET /things, response 200, [].name: maxLength was 9, is 8" in (
        capsys.readouterr().out
    )


def test_a_file_that_is_missing_breaks_what_refers_to_it(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reference that leads nowhere is not a schema that allows everything."""
    (repository / "schemas.yaml").unlink()
    assert main("HEAD", "api/things.yaml") == 1
    assert "response 200: $ref was none, is schemas.yaml#/Things" in capsys.readouterr().out


def test_an_operation_that_is_gone(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its line is the old one."""
    replace(repository / "paths.yaml", ("  get:", "  put:"))
    assert main("HEAD", "api/things.yaml") == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "api/paths.yaml:2 at HEAD breaking   GET /things: is gone",
        "api/paths.yaml:2 compatible PUT /things: is new",
    ]


def test_with_a_new_major_version_breaking_changes_pass(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are still printed. What is not committed yet counts."""
    replace(repository / "paths.yaml", ("maximum: 9", "maximum: 8"))
    replace(repository / "things.yaml", ("1.2.0", "2.0.0"))
    assert main("HEAD", "api/things.yaml") == 0
    assert capsys.readouterr().out == (
        "api/paths.yaml:25 breaking   GET /things, query parameter size: maximum was 9, is 8\n"
        "api/things.yaml: 1 changes since HEAD (1.2.0, now 2.0.0), 1 of them breaking.\n"
    )


def test_nothing_changed_since_the_last_commit(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """HEAD is a version, too."""
    assert repository.exists()
    assert main("HEAD", "api/things.yaml") == 0
    assert capsys.readouterr().out == "api/things.yaml: 0 changes since HEAD (1.2.0, now 1.2.0), 0 of them breaking.\n"


def test_a_revision_that_does_not_exist(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exits with 2, which is no verdict."""
    assert repository.exists()
    assert main("HEAD~2", "api/things.yaml") == 2
    assert capsys.readouterr().err.startswith("api/things.yaml cannot be compared with HEAD~2: fatal: ")


@pytest.mark.parametrize("text", ["a: [", "a: 2020-13-45", "[" * 5000], ids=["YAML", "date", "depth"])
def test_a_file_that_is_not_yaml(repository: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Exits with 2 and says so."""
    (repository / "things.yaml").write_text(text, "utf-8")
    assert main("HEAD", "api/things.yaml") == 2
    assert capsys.readouterr().err.startswith("api/things.yaml cannot be compared with HEAD: ")


@pytest.mark.parametrize("text", ["", "[]", "openapi: 3.0.3", "info:", "paths: {/things: }", "<<: {a: 1}\n1: 2"])
def test_an_incomplete_contract(repository: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Lacks the operation, and has no version."""
    (repository / "things.yaml").write_text(text, "utf-8")
    assert main("HEAD", "api/things.yaml") == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "api/paths.yaml:2 at HEAD breaking   GET /things: is gone",
        "api/things.yaml: 1 changes since HEAD (1.2.0, now None), 1 of them breaking.",
    ]


def test_anchors_and_aliases_may_be_recursive(repository: Path) -> None:
    """YAML can say so, and a comparison ends nevertheless."""
    schemas = "Things: &things\n  type: array\n  maxItems: 1\n  items: *things\n  enum: [[*things]]\n"
    commit(repository, schemas=schemas)
    replace(repository / "schemas.yaml", ("maxItems: 1", "maxItems: 2"))
    assert main("HEAD", "api/things.yaml") == 1


def test_the_command_line() -> None:
    """As `make contract-diff` calls it."""
    command = [sys.executable, "-m", "tools.contract_diff", "HEAD", "openapi/items.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert done.stdout.splitlines()[-1].startswith(("openapi/items.yaml: ", "A change that breaks clients"))
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("was", "now", "asks"),
    [("1.2.0", "1.3.0", True), ("1.2.0", "1.2.0", True), ("1.9.9", "2.0.0", False), ("9.0.0", "10.0.0", False)],
)
def test_only_the_first_number_of_the_version_allows_breaking(was: str, now: str, *, asks: bool) -> None:
    """As https://semver.org has it."""
    breaking = diff(BASE, edited((f"{PUT} operationId", "set_thing")))
    assert asks_for_major(breaking, was, now) is asks
    assert not asks_for_major(diff(BASE, edited((f"{PUT} deprecated", True))), was, now)


def test_json_is_read_as_well(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every JSON document is YAML."""
    schemas = yaml.safe_load(SCHEMAS)
    (repository / "schemas.yaml").write_text(str(schemas).replace("'", '"'), "utf-8")
    assert main("HEAD", "api/things.yaml") == 0
    assert " 0 changes since HEAD" in capsys.readouterr().out
