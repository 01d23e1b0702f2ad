"""Runs the service as `python -m app` does, with other pragmas in each SQLite connection.

    python -m tools.powercut.service [NAME=VALUE ...]

The pragmas are not settings: with `synchronous=NORMAL`, acknowledged writes are lost, which is how the power cuts show
that they can find losses. They replace the value of the same pragma that the service sets itself.
"""

import re
import runpy
import sqlite3
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

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
    """Replace the class of new connections, then run the service."""
    pragmas = dict(argument.split("=", 1) for argument in arguments)
    connect = sqlite3.connect
    if pragmas:
        for module in (sqlite3, sqlite3.dbapi2):
            vars(module)["connect"] = partial(connect, factory=connection_class(pragmas))
    sys.argv[1:] = []
    runpy.run_module("app", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
