"""`make resource`: what it writes, what it keeps, and what it refuses."""

import difflib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import ROOT
from tools.scaffold.__main__ import main
from tools.scaffold.names import Names, ScaffoldError, names
from tools.scaffold.plan import CONTRACT, TABLES, plan

GADGET = (ROOT / "tests" / "tools" / "gadget.yaml").read_text("utf-8").replace("adget", "izmo")
# Names that no resource of the project has: it can have more of them than items.
TAG = """\
    Sprocket:
      properties:
        name: {type: string, maxLength: 30}
"""
NAME_RULE = "must have small letters, digits and single underscores, at most 25 characters"
FIRST = "db/migrations/versions/0001_items.py"
NEW_FILES = [
    "db/sprockets.py",
    "handlers/sprockets.py",
    "tests/handlers/test_sprockets.py",
    "db/migrations/versions/0002_sprockets.py",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with the files that the command reads."""
    for name in (CONTRACT, TABLES):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / FIRST).parent.mkdir(parents=True)
    shutil.copy(ROOT / FIRST, tmp_path / FIRST)
    return tmp_path


def _write(folder: Path, schema: str) -> None:
    """Put a schema at the end of the contract's schemas."""
    file = folder / CONTRACT
    text = file.read_text("utf-8")
    assert text.count("\n  parameters:\n") == 1
    file.write_text(text.replace("\n  parameters:\n", f"\n{schema}\n  parameters:\n"), "utf-8")


def _property(schema: str) -> str:
    return f"    Sprocket:\n      properties:\n        name: {schema}\n"


def _schemas(folder: Path) -> dict[str, Any]:
    schemas: dict[str, Any] = yaml.safe_load((folder / CONTRACT).read_text("utf-8"))["components"]["schemas"]
    return schemas


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _problems(folder: Path, plural: str = "sprockets", schema: str | None = None) -> list[str]:
    with pytest.raises(ScaffoldError) as caught:
        plan(folder, plural, schema)
    return caught.value.problems


def test_it_says_what_it_wrote(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two files are extended, and four are new."""
    _write(folder, TAG)
    assert main(["sprockets"], folder) == 0
    printed = capsys.readouterr().out
    assert [line.split()[:2] for line in printed.splitlines()[1:-1]] == [
        ["extended", CONTRACT],
        ["extended", TABLES],
        *(["new", name] for name in NEW_FILES),
    ]
    assert sorted(_contents(folder)) == sorted([CONTRACT, TABLES, FIRST, *NEW_FILES])


@pytest.mark.parametrize(("schema", "plural"), [(TAG, "sprockets"), (GADGET, "gizmos")])
def test_everything_else_stays_as_it_was(folder: Path, schema: str, plural: str) -> None:
    """Byte for byte: lines are inserted, and none is taken away outside of the resource's own schema."""
    _write(folder, schema)
    before = (folder / CONTRACT).read_text("utf-8")
    tables = (folder / TABLES).read_text("utf-8")
    plan(folder, plural).write(folder)
    after = (folder / CONTRACT).read_text("utf-8")
    changes = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    removed = [line[2:] for line in changes if line.startswith("- ")]
    assert [line for line in removed if line not in schema] == []
    assert (folder / TABLES).read_text("utf-8").startswith(tables)


def test_comments_within_the_schema_stay(folder: Path) -> None:
    """Those above a property, and those among its rules."""
    _write(folder, GADGET)
    before = (folder / CONTRACT).read_text("utf-8")
    plan(folder, "gizmos").write(folder)
    text = (folder / CONTRACT).read_text("utf-8")
    for comment in ("# A schema with properties of every type", "# free text", "# long enough"):
        assert text.count(comment) == before.count(comment) > 0


@pytest.mark.parametrize("plural", ["sprockets", "gizmos"])
def test_handlers_and_statements_are_short(folder: Path, plural: str) -> None:
    """Under 40 lines each."""
    _write(folder, TAG + GADGET)
    files = plan(folder, plural).files
    assert len(files[f"handlers/{plural}.py"].splitlines()) < 40
    assert len(files[f"db/{plural}.py"].splitlines()) < 40


def test_rules_move_to_components_that_all_schemas_share(folder: Path) -> None:
    """The schema, the new one and the patch refer to them; a default is only in the new one."""
    _write(folder, GADGET)
    plan(folder, "gizmos").write(folder)
    schemas = _schemas(folder)
    order = {"$ref": "#/components/schemas/GizmoOrder"}
    assert schemas["Gizmo"]["properties"]["order"] == schemas["GizmoPatch"]["properties"]["order"] == order
    new = schemas["NewGizmo"]["properties"]["order"]
    assert new == {"allOf": [order], "description": "The order of the gizmo.", "default": "last"}
    assert schemas["GizmoOrder"] == {
        "type": "string",
        "enum": ["first", "last"],
        "description": "The order of the gizmo.",
        "example": "first",
    }


def test_what_only_the_service_writes_is_not_in_requests(folder: Path) -> None:
    """It has a value from the beginning."""
    _write(folder, GADGET)
    found = plan(folder, "gizmos")
    found.write(folder)
    for name in ("NewGizmo", "GizmoPatch"):
        assert not {"state", "checked_on", "id"} & _schemas(folder)[name]["properties"].keys()
    assert 'INITIAL: Values = {"state": "draft", "checked_on": None}' in found.files["db/gizmos.py"]


@pytest.mark.parametrize(
    "schema",
    [
        TAG,
        "    Sprocket: {properties: {name: {type: string, maxLength: 30}}}\n",
        "    Sprocket:\n      properties: {name: {type: string, maxLength: 30}}\n",
        (
            "    Sprocket:\n      required:\n        - name\n      type: object\n      properties:\n        name:\n"
            "          maxLength: 30\n          type: string\n"
        ),
        (
            "    Sprocket:\n      properties:\n        updated_at: {type: string}\n        id: {type: integer}\n"
            "        name: {type: string, maxLength: 30}\n        created_at: {}\n"
        ),
    ],
    ids=["minimal", "flow", "flow properties", "block lists", "with the common properties"],
)
def test_every_style_of_yaml_becomes_the_same_resource(folder: Path, schema: str) -> None:
    """Missing parts are added, and those that are there are completed."""
    _write(folder, schema)
    plan(folder, "sprockets").write(folder)
    tag = _schemas(folder)["Sprocket"]
    assert tag.keys() == {"type", "description", "additionalProperties", "required", "properties"}
    assert sorted(tag["required"]) == sorted(tag["properties"]) == ["created_at", "id", "name", "updated_at"]
    for name in ("id", "created_at", "updated_at"):
        assert tag["properties"][name]["readOnly"] is True
    assert _schemas(folder)["NewSprocket"]["required"] == ["name"]


def test_a_component_of_the_persons_own_stays_theirs(folder: Path) -> None:
    """Its rules are not moved."""
    _write(folder, _property('{$ref: "#/components/schemas/ItemName"}'))
    before = _schemas(folder)
    plan(folder, "sprockets").write(folder)
    after = _schemas(folder)
    assert after["ItemName"] == before["ItemName"]
    assert "SprocketName" not in after
    assert after["NewSprocket"]["properties"] == {"name": {"$ref": "#/components/schemas/ItemName"}}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("{type: string}", "needs maxLength."),
        ("{type: string, maxLength: 9, format: ipv4}", "has the format ipv4; supported are "),
        ("{type: string, maxLength: 9, pattern: '^a$'}", "needs x-pattern-description"),
        ("{type: string, maxLength: 9, pattern: '^.$', x-pattern-description: must be x}", "U+0000 can match"),
        ("{type: string, maxLength: 9, pattern: 'a', x-pattern-description: must be x}", "U+0000 can match"),
        ("{type: string, maxLength: 9, pattern: '^q$', x-pattern-description: must be q}", "needs an example."),
        ("{type: string, maxLength: 2, example: abc}", ".example is not valid: 'abc'."),
        ("{type: string, nullable: true, enum: [a]}", "is nullable, so its enum must have null."),
        ("{type: integer, minimum: 1}", "needs minimum and maximum."),
        ("{type: integer, minimum: 0, maximum: 9007199254740992}", "has limits beyond ±(2^53 - 1)"),
        (
            "{type: number, minimum: 0, maximum: 9, exclusiveMinimum: true}",
            "has exclusiveMinimum, which is not supported",
        ),
        (
            "{type: array, maxItems: 3, items: {type: integer, minimum: 0, maximum: 1}}",
            "must have items of the type string.",
        ),
        ("{type: array, items: {type: string, maxLength: 3}}", "needs maxItems."),
        ("{type: array, maxItems: 3, items: {type: string}}", "needs maxLength of its items."),
        ("{type: object}", "has the type object; supported are string, integer, number, boolean, array."),
        ("{oneOf: [{type: string}]}", "has the type None"),
        ("{x-references: nothing}", "has x-references: nothing, and there is no such path with POST."),
        ("{x-references: sprockets}", "refers to its own resource, so it must be nullable"),
        ("{type: boolean, readOnly: true}", "is readOnly, and no client gives it a value"),
        ("{$ref: '#/components/parameters/Limit'}", "which is not one of components.schemas."),
    ],
)
def test_what_it_cannot_do_it_refuses(folder: Path, schema: str, problem: str) -> None:
    """With the property's name and the reason."""
    _write(folder, _property(schema))
    (found,) = _problems(folder)
    assert problem in found
    assert found.startswith("Sprocket.properties.name")


def test_a_property_that_can_be_left_out_has_a_value(folder: Path) -> None:
    """Null or a default."""
    _write(folder, "    Sprocket:\n      required: [id]\n      properties:\n        name: {type: boolean}\n")
    assert _problems(folder) == ["Sprocket.properties.name is not required: it must be nullable or have a default."]


def test_all_problems_are_listed_at_once_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence each."""
    _write(
        folder,
        "    Sprocket:\n      minProperties: 1\n      properties:\n"
        "        a: {type: string}\n        B: {type: boolean}\n",
    )
    before = _contents(folder)
    assert main(["sprockets"], folder) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Nothing was written.",
        "  - Sprocket.minProperties is not supported; write it after the command has run.",
        "  - Sprocket.properties.a needs maxLength.",
        f"  - Sprocket.properties.B: the name {NAME_RULE}, and must not be version or owner.",
    ]
    assert _contents(folder) == before


@pytest.mark.parametrize("file", NEW_FILES[:3])
def test_no_file_is_overwritten(folder: Path, file: str) -> None:
    """Not even an empty one."""
    _write(folder, TAG)
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).touch()
    before = _contents(folder)
    assert _problems(folder) == [f"{file} exists already."]
    assert _contents(folder) == before


def test_a_migration_follows_the_newest_one(folder: Path) -> None:
    """Its number and its predecessor are those of the project, and it undoes what it does."""
    _write(folder, TAG)
    (folder / FIRST).with_name("0041_others.py").touch()
    text = plan(folder, "sprockets").files["db/migrations/versions/0042_sprockets.py"]
    assert '\nrevision = "0042"\ndown_revision = "0041"\n' in text
    assert [line.split("(")[0].strip() for line in text.splitlines() if line.startswith("    op.")] == [
        "op.create_table",
        *["op.create_index"] * 7,
        *["op.drop_index"] * 7,
        "op.drop_table",
    ]


def test_nothing_is_written_twice(folder: Path) -> None:
    """Everything that exists already is listed."""
    _write(folder, TAG)
    plan(folder, "sprockets").write(folder)
    before = _contents(folder)
    problems = _problems(folder)
    for problem in (
        "db/sprockets.py exists already.",
        "db/schema.py has the name sprockets already.",
        "The path /sprockets exists already.",
        "The tag sprockets exists already.",
        "components.schemas.NewSprocket exists already.",
        "components.links.GetSprocket exists already.",
    ):
        assert problem in problems
    assert _contents(folder) == before


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("{type: text}", "text"),
        ("{type: integer, minimum: 0, maximum: 9, default: 10}", "10 is greater than the maximum of 9"),
        ("{$ref: '#/components/schemas/Absent'}", "#/components/schemas/Absent does not exist."),
    ],
)
def test_a_contract_that_is_not_valid_is_refused(folder: Path, schema: str, problem: str) -> None:
    """Before anything else is looked at."""
    _write(folder, _property(schema))
    assert problem in _problems(folder)[0]
    assert all(found.startswith("The contract is not valid OpenAPI: ") for found in _problems(folder))


def test_a_shared_component_that_is_missing_is_named(folder: Path) -> None:
    """The new resource would refer to it."""
    _write(folder, TAG)
    file = folder / CONTRACT
    text = file.read_text("utf-8")
    file.write_text(text.replace("PageCursor", "CursorOfAPage"), "utf-8")
    assert _problems(folder) == ["components.schemas.PageCursor is missing: every resource uses it."]


def test_a_failure_while_writing_leaves_everything_as_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here the last file cannot be written."""
    _write(folder, TAG)
    (folder / "tests").write_text("a file where a folder is needed")
    before = _contents(folder)
    assert main(["sprockets"], folder) == 1
    assert "Nothing was written" in capsys.readouterr().err
    assert _contents(folder) == before


@pytest.mark.parametrize(
    ("plural", "schema"),
    [
        ("sprockets", "Sprocket"),
        ("categories", "Category"),
        ("movies", "Movie"),
        ("boxes", "Box"),
        ("axes", "Axe"),
        ("houses", "House"),
        ("buses", "Bus"),
        ("batches", "Batch"),
        ("dishes", "Dish"),
        ("blog_posts", "BlogPost"),
    ],
)
def test_the_schema_follows_from_the_plural(plural: str, schema: str) -> None:
    """The likeliest singular that is among the schemas."""
    assert names(plural, None, {schema}) == Names(plural, schema)


def test_another_schema_can_be_named() -> None:
    """For plurals that no rule knows."""
    found = names("people", "Person", {"Person"})
    assert (found.singular, found.noun, found.nouns, found.plural_schema) == ("person", "person", "people", "People")


@pytest.mark.parametrize(
    ("schema", "article"),
    [("Item", "an"), ("Sprocket", "a"), ("User", "a"), ("Update", "an"), ("Hour", "an"), ("Unit", "a")],
)
def test_the_article_is_a_or_an(schema: str, article: str) -> None:
    """As it sounds."""
    assert Names("x", schema).article == article


@pytest.mark.parametrize(
    ("plural", "schema"),
    [
        ("Tags", None),
        ("blog-posts", None),
        ("class", None),
        ("x" * 31, None),
        ("tags", None),
        ("tags", "tag"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(plural: str, schema: str | None) -> None:
    """Of the resource or of its schema."""
    with pytest.raises(ScaffoldError):
        names(plural, schema, {"tag"})


@pytest.mark.parametrize("name", ["problems", "ui"])
def test_the_folders_of_pages_are_no_resources(name: str) -> None:
    """Nginx would serve the pages in place of the resource."""
    with pytest.raises(ScaffoldError, match=f"The path /{name} leads to pages of the service"):
        names(name, None, {})
