"""Generated clients: the results of `make sdk` and docs/sdk.md are typed, well named, and work."""

import ast
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs import terminal
from tests.docs.markdown import Example, examples, fenced, read
from tests.e2e.stack import ROOT, service
from tests.support import operations, specification

SDK = ROOT / "sdk"
PYTHON = SDK / "python" / "items_client"
TYPESCRIPT = SDK / "typescript" / "items.ts"
CLIENTS = ROOT / "tests" / "e2e" / "clients"
TOOLS = ROOT / ".venv-tools" / "bin"
ORIGIN = "http://127.0.0.1:8000"
DOCUMENT = read("docs/sdk.md").partition("## Without a checkout")[2]
"""tests/e2e/test_sdk_helpers.py runs the programs of the part before."""
OPERATIONS = {str(operation) for operation in operations()}
SCHEMAS = specification()["components"]["schemas"]
SORTS = dict(zip(SCHEMAS["ItemSort"]["x-enum-varnames"], SCHEMAS["ItemSort"]["enum"], strict=True))
MAPPINGS = [f"{name}={name.removeprefix('New')}ToCreate" for name in SCHEMAS if name.startswith("New")]
NULLABLE_ENUMS = {name for name, schema in SCHEMAS.items() if "enum" in schema and schema.get("nullable")}
INVENTED = re.compile(r"\d|inline|any_?of|one_?of|all_?of|_body\b|Body\b|object\b", re.IGNORECASE)
"""Parts of the names that generators give to what has none."""
TRANSCRIPT = """\
create_item: /items/1 201 "1" Desk lamp, Brass
get_item: 200 "1" Desk lamp, Brass
get_item: 304
replace_item: 200 "2" Chair, no description
replace_item: 412 Precondition Failed: If-Match does not match the current ETag "2".
update_item: 200 "3" Chair, Oak
update_item: 200 "4" Chair, no description
delete_item: 204
delete_item: 404 Not Found: There is no item 1.
get_item: 404 Not Found: There is no item 1.
create_item: 400 Bad Request: The request has 3 violations; see errors.
  /description must not contain the character U+0000
  /name must have at least 1 character; it has 0
  /name must not be blank, and must not contain control characters (U+0000 to U+001F, U+007F)
list_items: 400 Bad Request: limit: must be at least 1
  limit must be at least 1
create_item: 413 Content Too Large: The body may have at most 65536 bytes.
list_items: 10 pages, 1000 items, Item 1000 to Item 1
"""
RUBY = """\
create_item: 201 "1" Desk lamp, no description
update_item: Brass
replace_item: 412 Precondition Failed: If-Match does not match the current ETag "2".
list_items: 400 Bad Request: limit: must be at least 1
  limit must be at least 1
list_items: Desk lamp
get_item: 404 Not Found: There is no item 1.
"""

NONE: Mapping[str, str] = {}

pytestmark = [
    pytest.mark.skipif(not (SDK / "ready").is_file(), reason="the clients have not been generated (make sdk)"),
    pytest.mark.usefixtures("sdk_alone"),
]


def _environment() -> dict[str, str]:
    """The environment, but for the flags of the outer make, which are not for the tested make."""
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"}
    return environment | {"no_proxy": "127.0.0.1", "NO_COLOR": "1"}


def _run(*command: str | Path, folder: Path = ROOT, variables: Mapping[str, str] = NONE) -> str:
    """Return what the command prints to stdout and stderr; it must exit with 0."""
    environment = _environment()
    path = f"{TOOLS}:{ROOT / 'node_modules' / '.bin'}:{environment['PATH']}"
    environment |= {"PATH": path, **variables}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def test_make_sdk_generates_both_clients_without_a_warning() -> None:
    """The output lists only what is generated."""
    printed = _run("make", "--silent", "--what-if=sdk/python.yaml", "sdk")
    lines = [
        r"Generating sdk/python",
        r"✨ openapi-typescript [\d.]+",
        r"🚀 sdk/contract\.yaml → sdk/typescript/items\.ts \[[\d.]+m?s\]",
    ]
    assert re.fullmatch("\n".join(lines), printed.strip()), printed


def _modules(folder: str) -> Iterator[ast.Module]:
    files = sorted((PYTHON / folder).rglob("*.py"))
    assert files
    yield from (ast.parse(file.read_text()) for file in files)


def _models() -> list[ast.ClassDef]:
    return [node for module in _modules("models") for node in module.body if isinstance(node, ast.ClassDef)]


def test_python_names_are_those_of_the_contract() -> None:
    """There is a module per operation, a class per schema with properties or values, and a name per sort key."""
    assert {file.stem for file in (PYTHON / "api").rglob("[a-z]*.py")} == OPERATIONS
    classes = {model.name: model for model in _models() if not _is_nullable_enum(model.name)}
    named = {name for name, schema in SCHEMAS.items() if schema["type"] == "object" or "enum" in schema}
    assert set(classes) == named - NULLABLE_ENUMS
    sorts = [node for node in classes["ItemSort"].body if isinstance(node, ast.Assign)]
    assert {ast.unparse(node.targets[0]): ast.literal_eval(node.value) for node in sorts} == SORTS
    assert [name for name in {*classes, *OPERATIONS} if INVENTED.search(name)] == []


def _is_nullable_enum(name: str) -> bool:
    """Whether the generator has made up this name, as it does for an enum that can be null."""
    return any(re.fullmatch(rf"{schema}(Type\d)+", name) for schema in NULLABLE_ENUMS)


def test_python_types_nothing_as_any() -> None:
    """No property, argument or return value has the type `Any`."""
    properties = [node for model in _models() for node in model.body if isinstance(node, ast.AnnAssign)]
    functions = [
        node
        for module in _modules("api")
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]
    assert len(functions) == 4 * len(OPERATIONS)
    types = [ast.unparse(node.annotation) for node in properties]
    for function in functions:
        assert function.returns is not None
        arguments = (*function.args.args, *function.args.kwonlyargs)
        types += [ast.unparse(argument.annotation or argument) for argument in arguments]
        types.append(ast.unparse(function.returns))
    assert {"str", "NewItem", "ItemPatch", "Response[Item | Problem]", "list[Violation] | Unset"} <= set(types)
    assert [text for text in types if re.search(r"\bAny\b|\bobject\b", text)] == []


def test_python_types_every_error_as_a_problem() -> None:
    """A status that the operation does not list is the default."""
    for file in sorted((PYTHON / "api").rglob("[a-z]*.py")):
        assert "response_default = Problem.from_dict(" in file.read_text(), file
        functions = (node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef))
        (parse,) = (function for function in functions if function.name == "_parse_response")
        assert parse.returns is not None
        assert "Problem" in ast.unparse(parse.returns).split(" | ")


def test_typescript_names_are_those_of_the_contract() -> None:
    """There is a type per schema and an entry per operation; only undocumented headers are `unknown`."""
    text = re.sub(r"/\*.*?\*/", "", TYPESCRIPT.read_text(), flags=re.DOTALL)
    exported = set(re.findall(r"^export (?:type|interface) (\w+)", text, re.MULTILINE))
    assert set(SCHEMAS) <= exported
    assert [name for name in exported if INVENTED.search(name)] == []
    entries = text.partition("export interface operations {")[2]
    assert set(re.findall(r"^    (\w+): \{$", entries, re.MULTILINE)) == OPERATIONS
    assert re.findall(r"\bany\b|\bunknown\b", text.replace("[name: string]: unknown;", "")) == []


def test_python_client_and_its_use_pass_mypy() -> None:
    """The client passes with `--strict`, and its user even without any `Any`."""
    mypy = (ROOT / ".venv/bin/mypy", "--config-file=", "--strict", "--python-executable", TOOLS / "python")
    assert _run(*mypy, PYTHON).startswith("Success")
    strictest = (*mypy, "--disallow-any-expr", "--follow-imports=silent")
    variables = {"MYPYPATH": f"{SDK}/python"}
    assert _run(*strictest, CLIENTS / "client.py", variables=variables).startswith("Success")
    programs = (CLIENTS / "retries.py", CLIENTS / "faults.py", CLIENTS / "deprecations.py")
    assert _run(*mypy, "--follow-imports=silent", *programs, variables=variables).startswith("Success")


def test_typescript_client_and_its_use_pass_the_compiler() -> None:
    """They pass in strict mode; `client.mts` asserts the types of bodies and problems."""
    assert _run("tsc", "--project", CLIENTS) == ""


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        pytest.param((TOOLS / "python", CLIENTS / "client.py"), {"PYTHONPATH": f"{SDK}/python"}, id="python"),
        pytest.param(("node", "--disable-warning=ExperimentalWarning", CLIENTS / "client.mts"), {}, id="typescript"),
    ],
)
def test_a_client_can_use_the_whole_contract(
    command: tuple[str | Path, ...], variables: Mapping[str, str], tmp_path: Path
) -> None:
    """It gets typed problems for 400, 404 and 412, a 304, and a thousand items page by page."""
    with service(tmp_path, ACCESS_LOG="off") as running:
        printed = _run(*command, f"http://127.0.0.1:{running.port}", variables=variables)
    print(printed)
    assert printed == TRANSCRIPT


@dataclass(frozen=True)
class Followed:
    """The commands of docs/sdk.md after a run: the folder, and the output of each command."""

    folder: Path
    printed: Mapping[str, str]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Run every command in one new folder, and save every program. Nothing of the checkout is used there.

    Only the port differs, and the Go client of a project with more resources needs a name for the type of each.
    """
    folder = tmp_path_factory.mktemp("followed")
    names = {"python": "lamp.py", "typescript": "lamp.mts"}
    with service(tmp_path_factory.mktemp("service"), ACCESS_LOG="off") as running:
        origin = f"http://127.0.0.1:{running.port}"
        commands = []
        for language, content in fenced(DOCUMENT):
            if language in names:
                (folder / names[language]).write_text(content.replace(ORIGIN, origin))
            else:
                commands += [example.command for example in examples(f"```{language}\n{content}```")] or [content]
        typed = [text.replace(ORIGIN, origin).replace("NewItem=ItemToCreate", ",".join(MAPPINGS)) for text in commands]
        printed = terminal.run(typed, folder, {**_environment(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    return Followed(folder, dict(zip(commands, (text.replace(origin, ORIGIN) for text in printed), strict=True)))


@pytest.mark.parametrize("example", list(examples(DOCUMENT)), ids=str)
def test_the_command_of_the_page_prints_the_output_shown(followed: Followed, example: Example) -> None:
    """Where no output is shown, as for `pip`, the command only has to succeed."""
    printed = followed.printed[example.command]
    assert printed == (example.shown or printed)


def test_no_generator_of_the_page_warns(followed: Followed) -> None:
    """The generators understand the whole contract."""
    generators = [command for command in followed.printed if re.match("(npx )?openapi-", command)]
    assert len(generators) == 5
    lines = [line for command in generators for line in followed.printed[command].splitlines()]
    assert [line for line in lines if re.search(r"(?i)\b(warn|warning|error)s?\b", line)] == []


def test_the_programs_of_the_page_are_typed(followed: Followed) -> None:
    """They pass mypy and TypeScript in their strictest modes."""
    python = followed.folder / "venv" / "bin" / "python"
    mypy = (ROOT / ".venv/bin/mypy", "--config-file=", "--strict", "--python-executable", python)
    assert _run(*mypy, "lamp.py", folder=followed.folder).startswith("Success")
    configuration = json.loads((CLIENTS / "tsconfig.json").read_text())
    (followed.folder / "tsconfig.json").write_text(json.dumps({**configuration, "files": ["lamp.mts"]}))
    node, tsc = followed.folder / "venv" / "bin" / "node", followed.folder / "node_modules" / ".bin" / "tsc"
    assert _run(node, tsc, "--project", ".", folder=followed.folder) == ""


def _program(name: str, package: str) -> str:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed (apt-get install {package})")
    return program


def test_the_client_in_go_compiles(followed: Followed, tmp_path: Path) -> None:
    """It needs only Go's standard library, and `go vet` reports nothing."""
    go = _program("go", "golang-go")
    folder = followed.folder / "items-go"
    settings = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOCACHE": str(tmp_path)}
    assert _run(go, "vet", ".", folder=folder, variables=settings) == ""
    assert _run(go, "build", ".", folder=folder, variables=settings) == ""
    text = "".join(file.read_text() for file in folder.glob("*.go"))
    sorts = {f"ITEMSORT_{name}" for name in SORTS}
    assert sorts <= set(re.findall(r"^\t(\w+) ItemSort = ", text, re.MULTILINE))
    models = {re.sub("[^a-z]", "", file.stem.removeprefix("model_")) for file in folder.glob("model_*.go")}
    named = {name for name, schema in SCHEMAS.items() if schema["type"] == "object" or "enum" in schema}
    renamed = dict(mapping.split("=") for mapping in MAPPINGS)
    assert models == {renamed.get(name, name).lower() for name in named}


def test_the_client_in_ruby_works(followed: Followed, tmp_path: Path) -> None:
    """All files parse without a warning, and the client handles items and problems."""
    ruby = _program("ruby", "ruby ruby-typhoeus")
    folder = followed.folder / "items-ruby"
    files = sorted((folder / "lib").rglob("*.rb"))
    assert {file.stem for file in files} >= {"item", "new_item", "item_patch", "item_sort", "problem", "violation"}
    assert _run(ruby, "-w", "-c", *files) == "Syntax OK\n"
    if subprocess.run([ruby, "-e", "require 'typhoeus'"], capture_output=True, check=False).returncode != 0:
        pytest.skip("what the client needs is not installed (apt-get install ruby-typhoeus)")
    with service(tmp_path, ACCESS_LOG="off") as running:
        printed = _run(ruby, f"-I{folder}/lib", CLIENTS / "client.rb", f"127.0.0.1:{running.port}")
    print(printed)
    assert printed == RUBY
