"""Types of columns that SQLAlchemy does not have."""

import json
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator


class Strings(TypeDecorator[list[str]]):
    """A list of strings, as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, _dialect: Dialect) -> str | None:
        """The text that is stored."""
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> list[str] | None:
        """The list that was stored."""
        return None if value is None else json.loads(value)
