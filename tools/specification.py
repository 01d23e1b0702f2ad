"""`python -m tools.specification FILE open|secured`: writes the contract that a service with this ACCESS serves.

A file that has it already is left alone, so that make sees whether it has changed.
"""

import sys
from pathlib import Path

from app.specification import load, source


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    if len(arguments) != 2 or arguments[1] not in ("open", "secured"):
        sys.stderr.write("Usage: python -m tools.specification FILE open|secured\n")
        return 2
    file, secured = Path(arguments[0]), arguments[1] == "secured"
    content = source(load(secured=secured), secured=secured)
    if not file.exists() or file.read_bytes() != content:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
