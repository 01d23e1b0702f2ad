"""`make resource NAME=tags`: writes a resource whose schema is in the contract."""

import argparse
import sys
from pathlib import Path

from app.settings import ROOT
from tools.scaffold.names import ScaffoldError
from tools.scaffold.plan import CONTRACT, plan


def main(arguments: list[str] | None = None, folder: Path = ROOT) -> int:
    """Write the resource and say what was written, or say why not and write nothing."""
    parser = argparse.ArgumentParser(prog="python -m tools.scaffold", description=__doc__)
    parser.add_argument("name", help="the plural, as the path has it: tags")
    parser.add_argument("--schema", help="the name of its schema, if it does not follow from the plural: Person")
    options = parser.parse_args(arguments)
    try:
        found = plan(folder, options.name, options.schema)
        found.write(folder)
    except ScaffoldError as error:
        print("Nothing was written.", *(f"  - {problem}" for problem in error.problems), sep="\n", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Nothing was written: {error}", file=sys.stderr)
        return 1
    print(f"The resource {found.names.plural} is complete:")
    for name, text in found.files.items():
        lines = len(text.splitlines())
        print(f"  new      {name} ({lines} lines)" if name in found.new else f"  extended {name}")
    print(f"Now run: make test lint contract-diff BASE=HEAD. Then change what you like; {CONTRACT} comes first.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
