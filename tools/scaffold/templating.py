"""Templates: files beside this module, with `<<name>>` where a value comes."""

import re
from collections.abc import Mapping
from pathlib import Path

from tools.scaffold.names import Names

_FOLDER = Path(__file__).with_name("templates")
_LINE = re.compile(r"^( *)<<(\w+)>>\n", re.MULTILINE)
_VALUE = re.compile(r"<<(\w+)>>")


def render(template: str, names: Names, **values: str) -> str:
    """The template with the values; a line that has nothing but a value takes all lines of it, or goes away."""
    known = {**_common(names), **values}
    text = (_FOLDER / f"{template}.txt").read_text("utf-8")
    text = _LINE.sub(lambda found: _lines(found[1], known[found[2]]), text)
    return _VALUE.sub(lambda found: known[found[1]], text)


def _lines(indent: str, value: str) -> str:
    return "".join(f"{indent}{line}\n" if line else "\n" for line in value.splitlines())


def _common(names: Names) -> Mapping[str, str]:
    return {
        "plural": names.plural,
        "PLURAL": names.plural.upper(),
        "plural_schema": names.plural_schema,
        "schema": names.schema,
        "singular": names.singular,
        "noun": names.noun,
        "nouns": names.nouns,
        "Nouns": names.nouns.capitalize(),
        "a": names.article,
        "A": names.article.capitalize(),
    }
