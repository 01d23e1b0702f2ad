"""`python -m tools.specification` writes the contract of a service with this ACCESS, for clients and linters."""

from pathlib import Path

import pytest
import yaml

from app.specification import SPECIFICATION, load
from tools.specification import main


def test_the_open_contract_is_the_file_itself(tmp_path: Path) -> None:
    """With its comments and its form."""
    assert main([f"{tmp_path}/new/contract.yaml", "open"]) == 0
    assert (tmp_path / "new" / "contract.yaml").read_bytes() == SPECIFICATION.read_bytes()


def test_the_secured_contract_is_what_the_service_serves(tmp_path: Path) -> None:
    """The file is not touched if it is right already: make looks at its time."""
    file = tmp_path / "contract.yaml"
    assert main([str(file), "secured"]) == 0
    assert yaml.safe_load(file.read_bytes()) == dict(load(secured=True))
    before = file.stat().st_mtime_ns
    assert main([str(file), "secured"]) == 0
    assert file.stat().st_mtime_ns == before


@pytest.mark.parametrize("arguments", [[], ["x"], ["x", "closed"], ["x", "open", "y"]])
def test_other_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With the usage."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: ")
