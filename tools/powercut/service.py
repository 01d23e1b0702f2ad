"""Runs the service as `python -m app` does, with other pragmas in each SQLite connection, or other migrations.

    python -m tools.powercut.service [--migrations FOLDER] [NAME=VALUE ...]

The pragmas are not settings: with `synchronous=NORMAL`, acknowledged writes are lost, which is how the power cuts show
that they can find losses. They replace the value of the same pragma that the service sets itself.
"""

import argparse
import re
import runpy
import sqlite3
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from db import revisions

_SETTING = re.compile(r"\s*PRAGMA\s+(?P<name>\w+)\s*=.*", re.IGNORECASE | re.DOTALL)


def connection_class(pragmas: Mapping[str, str]) -> type[sqlite3.Connection]:
    """Return a class of connections that have these pragmas, whatever the service sets itself."""

    class Connection(sqlite3.Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            for name, value in pragmas.items():
                super().execute(f"PRAGMA {name} = {value}")

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if (setting := _SETTING.fullmatch(sql)) and setting["name"].lower() in pragmas:
                sql = f"PRAGMA {setting['name']} = {pragmas[setting['name'].lower()]}"
            return super().execute(sql, *args)

    return Connection


def main(arguments: list[str]) -> None:
    """Replace the class of new connections and the migrations, then run the service."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--migrations", type=Path, default=revisions.MIGRATIONS)
    parser.add_argument("pragmas", nargs="*")
    options = parser.parse_args(arguments)
    revisions.MIGRATIONS = options.migrations
    pragmas = dict(pragma.split("=", 1) for pragma in options.pragmas)
    connect = sqlite3.connect
    if pragmas:
        for module in (sqlite3, sqlite3.dbapi2):
            vars(module)["connect"] = partial(connect, factory=connection_class(pragmas))
    sys.argv[1:] = []
    runpy.run_module("app", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
