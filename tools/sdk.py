"""Add the helpers to the generated clients, and tell them which operations take an `Idempotency-Key`.

    python -m tools.sdk CONTRACT PYTHON_PACKAGE TYPESCRIPT_FOLDER

The helpers are the files of sdk/helpers/, unchanged: they know no operation. What they need of the contract is one
table, `operations`, which is made here.
"""

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

HELPERS = Path(__file__).resolve().parents[1] / "sdk" / "helpers"
METHODS = ("get", "post", "put", "patch", "delete")
TITLE = "The operations: method, end of the path, whether it takes an Idempotency-Key."
PYTHON = '"""{}"""\n\nOPERATIONS: tuple[tuple[str, str, bool], ...] = (\n{})\n'
TYPESCRIPT = "// {}\nexport const OPERATIONS: readonly (readonly [string, string, boolean])[] = [\n{}];\n"
Operation = tuple[str, str, bool]


def main() -> None:
    """Write the helpers into both clients."""
    parser = argparse.ArgumentParser(prog="make sdk", description="Add the helpers to the generated clients.")
    parser.add_argument("contract", type=Path)
    parser.add_argument("python", type=Path)
    parser.add_argument("typescript", type=Path)
    options = parser.parse_args()
    table = operations(yaml.safe_load(options.contract.read_text(encoding="utf-8")))
    python = "".join(f"    ({json.dumps(method)}, {json.dumps(end)}, {takes}),\n" for method, end, takes in table)
    typescript = "".join(f"  {json.dumps(operation)},\n" for operation in table)
    _write("python", options.python, "operations.py", PYTHON.format(TITLE, python))
    _write("typescript", options.typescript, "operations.mts", TYPESCRIPT.format(TITLE, typescript))


def _write(language: str, client: Path, name: str, table: str) -> None:
    """Copy the helpers into a client, and write the table beside them."""
    target = client / "helpers"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(HELPERS / language, target, ignore=shutil.ignore_patterns("__pycache__"))
    (target / name).write_text(table, encoding="utf-8")


def operations(contract: dict[str, Any]) -> list[Operation]:
    """Return the table; where several rows match a URL, the first one is right, as in the service's router."""
    found = [
        (method.upper(), path, _takes_key(contract, item, item[method]))
        for path, item in contract["paths"].items()
        for method in METHODS
        if method in item
    ]
    found.sort(key=lambda operation: _rank(operation[1]), reverse=True)
    return [(method, _end(path), takes) for method, path, takes in found]


def _rank(path: str) -> tuple[int, int]:
    """More segments first, then more literal characters: the longer path also ends like the shorter one."""
    return path.count("/"), len(re.sub(r"\{.*?\}", "", path))


def _end(path: str) -> str:
    """Return a regular expression that matches the end of a URL's path, in Python and in JavaScript."""
    return "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{.*?\})", path)) + "$"


def _takes_key(contract: dict[str, Any], item: dict[str, Any], operation: dict[str, Any]) -> bool:
    """Return whether the operation, or all operations of its path, declare the header."""
    parameters = (_resolved(contract, each) for each in item.get("parameters", []) + operation.get("parameters", []))
    return any((each["in"], each["name"].lower()) == ("header", "idempotency-key") for each in parameters)


def _resolved(contract: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    """Return the parameter itself instead of a reference to it."""
    if "$ref" not in parameter:
        return parameter
    found: dict[str, Any] = contract
    for name in parameter["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


if __name__ == "__main__":
    main()
