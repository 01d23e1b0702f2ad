"""A fault in a contract is one message: its place, its line, what is wrong, and what to write instead."""

from pathlib import Path

import pytest

from contract import ContractError, load
from tests.contract.specs.application import build

CONTRACT = """\
openapi: 3.0.3
info: {title: Things, version: "1"}
paths:
  /things/{id}:
    get:
      tags: [things]
      operationId: get_thing
      summary: Read a thing
      parameters:
        - {$ref: "#/components/parameters/Id"}
      responses:
        "200":
          description: The thing.
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Thing"}
        default: {$ref: "#/components/responses/Problem"}
    delete:
      tags: [things]
      operationId: delete_thing
      parameters:
        - {$ref: "#/components/parameters/Id"}
      responses:
        default: {$ref: "#/components/responses/Problem"}
components:
  parameters:
    Id:
      name: id
      in: path
      required: true
      schema: {type: integer}
  responses:
    Problem: {description: An error.}
  schemas:
    Thing: {type: object, properties: {id: {type: integer}}}
"""
NOT_YAML = "The contract is not valid YAML:\n"
INVALID = "The contract is not a valid OpenAPI 3.0 document:\n"

# What is replaced (everywhere), by what, and the message.
YAML_FAULTS: dict[str, tuple[str, str, str]] = {
    "a colon in a text": (
        "summary: Read",
        "summary: Read: or not",
        """\
things.yaml:8:20: a second `: ` in one line, or wrong indentation
    8 |       summary: Read: or not a thing
      |                    ^ put a text with `: ` in quotes
""",
    ),
    "a tab": (
        "      summary",
        "\t summary",
        """\
things.yaml:8:1: a tab in the indentation
    8 | → summary: Read a thing
      | ^ indent with spaces
""",
    ),
    "wrong indentation": (
        "      summary",
        "     summary",
        """\
things.yaml:8:6: this does not continue the block above it
    8 |      summary: Read a thing
      |      ^ correct the indentation, or close the quotes or brackets above
""",
    ),
    "no colon": (
        "summary: Read",
        "summary Read",
        """\
things.yaml:8:7: there is no `: ` after this key
    8 |       summary Read a thing
      |       ^ write `key: value`
""",
    ),
    "brackets that are not closed": (
        "tags: [things]\n      operationId: get",
        "tags: [things\n      operationId: get",
        """\
things.yaml:7:18: a list in [brackets] is not closed before this
    7 |       operationId: get_thing
      |                  ^ add `,` or `]`
""",
    ),
    "a key twice": (
        "      summary: Read a thing\n",
        "      summary: Read a thing\n      tags: [things]\n",
        """\
things.yaml:9:7: the key `tags` is there twice
    9 |       tags: [things]
      |       ^^^^ the first is in line 6
""",
    ),
    "two keys twice": (
        "summary: Read a thing\n",
        "summary: Read a thing\n      summary: b\n      tags: [things]\n",
        """\
things.yaml:9:7: the key `summary` is there twice
    9 |       summary: b
      |       ^^^^^^^ the first is in line 8
things.yaml:10:7: the key `tags` is there twice
   10 |       tags: [things]
      |       ^^^^ the first is in line 6
""",
    ),
    "an alias in its own anchor": (
        "paths:",
        "x-a: &a {b: *a}\npaths:",
        """\
things.yaml:3:13: `*a` is inside of what it stands for
    3 | x-a: &a {b: *a}
      |             ^^
""",
    ),
    "a control character": (
        "Read",
        "\x07",
        """\
things.yaml:8:16: a character that YAML does not allow: control characters are not allowed
    8 |       summary: \x07 a thing
      |                ^ remove it
""",
    ),
}
FAULTS: dict[str, tuple[str, str, str]] = {
    "a misspelt field, twice": (
        "tags:",
        "tag:",
        """\
things.yaml:6:7: an operation has no field `tag`
    6 |       tag: [things]
      |       ^^^ did you mean `tags`?
      = the same at 19:7
""",
    ),
    "a misspelt field that is required": (
        "description: The",
        "descriptoin: The",
        """\
things.yaml:13:11: a response has no field `descriptoin`
   13 |           descriptoin: The thing.
      |           ^^^^^^^^^^^ did you mean `description`?
""",
    ),
    "a required field is missing": (
        'title: Things, version: "1"',
        'version: "1"',
        """\
things.yaml:2:1: `info` needs the field `title`
    2 | info: {version: "1"}
      | ^^^^ add `title: …`
""",
    ),
    "a reference that leads nowhere": (
        "schemas/Thing",
        "schemas/Thign",
        """\
things.yaml:16:30: the reference `#/components/schemas/Thign` leads nowhere
   16 |               schema: {$ref: "#/components/schemas/Thign"}
      |                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `Thing`?
""",
    ),
    "a reference into the wrong section": (
        "responses/Problem",
        "schemas/Problem",
        """\
things.yaml:17:25: the reference `#/components/schemas/Problem` leads nowhere
   17 |         default: {$ref: "#/components/schemas/Problem"}
      |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `#/components/responses/Problem`?
      = the same at 24:25
""",
    ),
    "a reference to another kind": (
        "responses/Problem",
        "schemas/Thing",
        """\
things.yaml:17:25: `#/components/schemas/Thing` cannot be referred to here
   17 |         default: {$ref: "#/components/schemas/Thing"}
      |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a reference to `#/components/responses/…` can
      = the same at 24:25
""",
    ),
    "a reference to itself": (
        "Problem: {description: An error.}",
        'Problem: {$ref: "#/components/responses/Problem"}',
        """\
things.yaml:17:25: the reference `#/components/responses/Problem` leads back to itself
   17 |         default: {$ref: "#/components/responses/Problem"}
      |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = the same at 24:25, 33:21
""",
    ),
    "a type that does not exist": (
        "schema: {type: integer}",
        "schema: {type: int}",
        """\
things.yaml:31:22: `type` must be one of: array, boolean, integer, number, object, string
   31 |       schema: {type: int}
      |                      ^^^ did you mean `integer`?
""",
    ),
    "a location that does not exist": (
        "in: path",
        "in: pth",
        """\
things.yaml:29:11: `in` must be one of: path, query, header, cookie
   29 |       in: pth
      |           ^^^ did you mean `path`?
""",
    ),
    "a path parameter that is optional": (
        "      required: true\n",
        "",
        """\
things.yaml:27:5: a parameter needs the field `required`
   27 |     Id:
      |     ^^ add `required: true`
""",
    ),
    "a parameter without schema": (
        "      schema: {type: integer}\n",
        "",
        """\
things.yaml:27:5: a parameter needs `schema` or `content`
   27 |     Id:
      |     ^^
""",
    ),
    "a value of the wrong type": (
        "tags: [things]\n      operationId: get",
        "tags: things\n      operationId: get",
        """\
things.yaml:6:13: `tags` must be a list
    6 |       tags: things
      |             ^^^^^^ write [things]
""",
    ),
    "a version that is a number": (
        'version: "1"',
        "version: 1.0",
        """\
things.yaml:2:32: `version` must be a string
    2 | info: {title: Things, version: 1.0}
      |                                ^^^ write "1.0", in quotes
""",
    ),
    "an empty value": (
        "Thing: {type: object, properties: {id: {type: integer}}}",
        "Thing:",
        """\
things.yaml:35:5: `Thing` is empty; it must be a mapping
   35 |     Thing:
      |     ^^^^^
""",
    ),
    "OpenAPI 3.1": (
        "openapi: 3.0.3",
        "openapi: 3.1.0",
        """\
things.yaml:1:10: the version 3.1.0 is not supported
    1 | openapi: 3.1.0
      |          ^^^^^ write 3.0.3
""",
    ),
    "a list of types, as in OpenAPI 3.1": (
        "schema: {type: integer}",
        'schema: {type: [integer, "null"]}',
        """\
things.yaml:31:22: `type` must be a string
   31 |       schema: {type: [integer, "null"]}
      |                      ^ write one type, and `nullable: true` for null
""",
    ),
    "a path without its slash": (
        "  /things/{id}:",
        "  things/{id}:",
        """\
things.yaml:4:3: the path `things/{id}` does not begin with `/`
    4 |   things/{id}:
      |   ^^^^^^^^^^^ write `/things/{id}`
""",
    ),
    "a status that does not exist": (
        '"200":',
        '"20":',
        """\
things.yaml:12:9: `20` is not a status
   12 |         "20":
      |         ^^^^ a status is `200`, `2XX` or `default`
""",
    ),
    "a method that does not exist": (
        "    get:",
        "    gett:",
        """\
things.yaml:5:5: a path has no field `gett`
    5 |     gett:
      |     ^^^^ did you mean `get`?
""",
    ),
    "an operationId twice": (
        "delete_thing",
        "get_thing",
        """\
things.yaml:20:20: the operationId `get_thing` is there twice
   20 |       operationId: get_thing
      |                    ^^^^^^^^^ the first is at things.yaml:7:7
""",
    ),
    "a path parameter of another name": (
        "name: id",
        "name: idd",
        """\
things.yaml:5:5: the path has the parameter `id`, which is not declared
    5 |     get:
      |     ^^^ did you mean `idd`?
      = the same at 18:5
things.yaml:28:13: the path `/things/{id}` has no parameter `idd`
   28 |       name: idd
      |             ^^^ did you mean `id`?
""",
    ),
    "a security scheme that does not exist": (
        "paths:",
        "security: [{key: []}]\npaths:",
        """\
things.yaml:3:13: there is no security scheme `key` in `components.securitySchemes`
    3 | security: [{key: []}]
      |             ^^^
""",
    ),
    "a misspelt field of a security scheme": (
        "components:",
        "components:\n  securitySchemes: {a: {type: http, schema: basic}, b: {type: htp}}",
        """\
things.yaml:26:37: a security scheme has no field `schema`
   26 |   securitySchemes: {a: {type: http, schema: basic}, b: {type: htp}}
      |                                     ^^^^^^ did you mean `scheme`?
things.yaml:26:63: `type` must be one of: apiKey, http, oauth2, openIdConnect
   26 |   securitySchemes: {a: {type: http, schema: basic}, b: {type: htp}}
      |                                                               ^^^ did you mean `http`?
""",
    ),
    "a date": (
        "{type: object,",
        "{type: object, example: 2026-01-31,",
        """\
things.yaml:35:36: YAML reads this as a date, which JSON does not have
   35 |     Thing: {type: object, example: 2026-01-31, properties: {id: {type: integer}}}
      |                                    ^^^^^^^^^^ put it in quotes
""",
    ),
}


def _message(folder: Path, text: str) -> str:
    file = folder / "things.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ContractError) as caught:
        load(file)
    return f"{caught.value}\n"


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named relative to the current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("title", "old", "new", "message"),
    [(NOT_YAML, *fault) for fault in YAML_FAULTS.values()] + [(INVALID, *fault) for fault in FAULTS.values()],
    ids=[*YAML_FAULTS, *FAULTS],
)
def test_a_fault_is_one_short_message(tmp_path: Path, title: str, old: str, new: str, message: str) -> None:
    """Place, line, mark, help; nothing else."""
    assert old in CONTRACT
    assert _message(tmp_path, CONTRACT.replace(old, new)) == title + message


def test_the_contract_of_these_tests_is_valid(tmp_path: Path) -> None:
    """It has only the faults that a test puts into it."""
    (tmp_path / "things.yaml").write_text(CONTRACT)
    assert load(tmp_path / "things.yaml")["info"] == {"title": "Things", "version": "1"}


def test_all_faults_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Of the structure and of the references."""
    text = CONTRACT.replace("tags:", "tag:").replace("responses/Problem", "responses/Problen").replace("integer", "int")
    lines = [line for line in _message(tmp_path, text).splitlines() if line.startswith("things.yaml")]
    places = [line.split(" ")[0] for line in lines]
    assert places == ["things.yaml:6:7:", "things.yaml:17:25:", "things.yaml:31:22:"]


def test_a_fault_in_another_file_has_its_place_there(tmp_path: Path) -> None:
    """A misspelt field, a reference that leads nowhere, and a file that does not exist."""
    text = CONTRACT.replace("#/components/schemas/Thing", "other.yaml#/Thing")
    (tmp_path / "other.yaml").write_text('Thing:\n  type: object\n  propertis: {a: {}}\n  not: {$ref: "#/Thang"}\n')
    assert _message(tmp_path, text) == INVALID + (
        "other.yaml:3:3: a schema has no field `propertis`\n"
        "    3 |   propertis: {a: {}}\n"
        "      |   ^^^^^^^^^ did you mean `properties`?\n"
        "other.yaml:4:15: the reference `other.yaml#/Thang` leads nowhere\n"
        '    4 |   not: {$ref: "#/Thang"}\n'
        "      |               ^^^^^^^^^ did you mean `Thing`?\n"
    )
    (tmp_path / "other.yaml").unlink()
    assert _message(tmp_path, text) == (
        "The contract cannot be read:\n"
        "things.yaml:16:30: other.yaml cannot be read: No such file or directory\n"
        '   16 |               schema: {$ref: "other.yaml#/Thing"}\n'
        "      |                              ^^^^^^^^^^^^^^^^^^^\n"
    )


def test_many_faults_are_counted(tmp_path: Path) -> None:
    """The message does not grow with them."""
    text = CONTRACT.replace("info:", "".join(f"field{number}: 1\n" for number in range(30)) + "info:")
    message = _message(tmp_path, text)
    assert message.count("things.yaml:") == 20
    assert message.endswith("… and 10 more\n")


HANDLERS = """\
def _same(function):
    return function


@_same
def get_thing(ident):
    return {}


def delete_thingy(id): ...
"""


def test_a_handler_has_its_place_and_that_of_its_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of its name, below its decorators."""
    (tmp_path / "things.yaml").write_text(CONTRACT)
    package = tmp_path / "package_of_handlers"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "things.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ContractError) as caught:
        build(tmp_path / "things.yaml", package.name)
    assert f"{caught.value}\n" == (
        "The contract and the handlers do not fit together:\n"
        "package_of_handlers/things.py:6:5: package_of_handlers.things.get_thing has the parameter ident, "
        "which GET /things/{id} does not have\n"
        "    6 | def get_thing(ident):\n"
        "      |     ^^^^^^^^^ the contract has: id; the operation is at things.yaml:5:5\n"
        "package_of_handlers/things.py:6:5: package_of_handlers.things.get_thing has no parameter id, "
        "which GET /things/{id} has\n"
        "    6 | def get_thing(ident):\n"
        "      |     ^^^^^^^^^ add `id`; the operation is at things.yaml:5:5\n"
        "package_of_handlers/things.py:10:5: package_of_handlers.things.delete_thingy is no handler: "
        "no operation with the tag things has this operationId\n"
        "   10 | def delete_thingy(id): ...\n"
        "      |     ^^^^^^^^^^^^^ begin the name of a helper with `_`\n"
        "things.yaml:20:20: delete_thing (DELETE /things/{id}) has no handler: "
        "package_of_handlers.things.delete_thing is missing\n"
        "   20 |       operationId: delete_thing\n"
        "      |                    ^^^^^^^^^^^^ did you mean `delete_thingy`?\n"
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "def get_thing(id:\n    return {}\n",
            """\
broken_{0}/things.py:1:14: SyntaxError: '(' was never closed
    1 | def get_thing(id:
      |              ^
""",
        ),
        (
            "LIMIT = 1 + nothing\n",
            """\
broken_{0}/things.py:1:13: NameError: name 'nothing' is not defined
    1 | LIMIT = 1 + nothing
      |             ^^^^^^^
""",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_has_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    """A syntax error, and any other exception."""
    (tmp_path / "things.yaml").write_text(CONTRACT)
    package = tmp_path / f"broken_{len(source)}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "things.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ContractError) as caught:
        build(tmp_path / "things.yaml", package.name)
    expected = message.replace("{0}", str(len(source)))
    assert f"{caught.value}\n" == f"The contract and the handlers do not fit together:\n{expected}"
