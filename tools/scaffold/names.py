"""The names of a resource: of its table, its schema and one of it, and how sentences mention it."""

import keyword
import re
from collections.abc import Container
from dataclasses import dataclass

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SCHEMA = re.compile(r"[A-Z][A-Za-z0-9]*")
_LONGEST = 30  # names of constraints have the table's and a column's name in them; PostgreSQL cuts them off at 63
_PAGES = ("problems", "ui")
"""Folders of pages (app/pages.py), which nginx serves itself."""


class ScaffoldError(Exception):
    """The resource cannot be written; `problems` are sentences that say why, all at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Names:
    """`plural` is that of the table, the path, the tag and the modules; `schema` is that of the schema."""

    plural: str
    schema: str

    @property
    def singular(self) -> str:
        """One of it, as functions and parameters have it: `blog_post`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", self.schema).lower()

    @property
    def noun(self) -> str:
        """One of it, in sentences: `blog post`."""
        return self.singular.replace("_", " ")

    @property
    def nouns(self) -> str:
        """Several of it, in sentences."""
        return self.plural.replace("_", " ")

    @property
    def article(self) -> str:
        """`a` or `an`."""
        return "an" if re.match(r"[aeio]|u(?![^aeiou][aeiou])|hour|honou?r", self.noun) else "a"

    @property
    def plural_schema(self) -> str:
        """Several of it, as components of the contract have it: `BlogPosts`."""
        return camel(self.plural)


def camel(name: str) -> str:
    """`blog_posts` as `BlogPosts`."""
    return "".join(word.capitalize() for word in name.split("_"))


def names(plural: str, schema: str | None, schemas: Container[str]) -> Names:
    """The names of the resource `plural`, whose schema is among `schemas`. Raises `ScaffoldError`."""
    if not _NAME.fullmatch(plural) or keyword.iskeyword(plural) or len(plural) > _LONGEST:
        rule = f"must have small letters, digits and single underscores, at most {_LONGEST} characters"
        raise ScaffoldError([f"The name {plural!r} {rule}, and must not be a word of Python."])
    if plural in _PAGES:
        raise ScaffoldError([f"The path /{plural} leads to pages of the service; choose another name."])
    candidates = [camel(singular) for singular in _singulars(plural)] if schema is None else [schema]
    found = next((candidate for candidate in candidates if candidate in schemas), None)
    if found is None:
        raise ScaffoldError(
            [f"The contract has no schema {' or '.join(candidates)}; write it first, or name another with SCHEMA=…."]
        )
    if not _SCHEMA.fullmatch(found) or keyword.iskeyword(Names(plural, found).singular):
        raise ScaffoldError(
            [f"The schema's name {found!r} must have letters and digits only and start with a capital."]
        )
    return Names(plural, found)


def _singulars(plural: str) -> list[str]:
    """What `plural` may be the plural of, the likeliest first."""
    endings = {
        "ies": ("y", "ie"),
        "ses": ("s", "se"),
        "xes": ("x", "xe"),
        "zes": ("z", "ze"),
        "ches": ("ch", "che"),
        "shes": ("sh", "she"),
    }
    for ending, singulars in endings.items():
        if plural.endswith(ending):
            return [plural.removesuffix(ending) + singular for singular in singulars]
    return [plural.removesuffix("s")]
