"""operationId = function name: where the contract and the handlers disagree, the start stops and says where."""

import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from app import HANDLERS, SPECIFICATION, create_app
from app.dry_run import DryRun
from app.idempotency import IdempotencyKeys
from app.settings import ROOT, Settings
from contract import ContractError
from contract.diagnostics import Fault
from contract.spec.loading import load
from contract.spec.operations import operations
from contract.spec.resolver import resolve_handlers
from handlers.items import list_items

PACKAGE = "temporary_handlers"
ITEM_ID = {"name": "item_id", "in": "path", "required": True, "schema": {"type": "integer"}}
LIMIT = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
LIMIT_WITH_DEFAULT = LIMIT | {"schema": {"type": "integer", "default": 50}}
IF_MATCH = {"name": "If-Match", "in": "header", "schema": {"type": "string"}}


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module that the tag `things` names, still empty."""
    package, module = ModuleType(PACKAGE), ModuleType(f"{PACKAGE}.things")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, PACKAGE, package)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def _define(module: ModuleType, source: str) -> None:
    exec(source, vars(module))  # noqa: S102  # the sources stand in this file


def _operation(*parameters: dict[str, Any], **properties: Any) -> dict[str, Any]:
    definition = {"operationId": "get_thing", "tags": ["things"], "parameters": list(parameters), "responses": {}}
    return {"paths": {"/things": {"get": definition | properties}}}


def _resolved(spec: dict[str, Any], package: str) -> list[Fault]:
    found = [operation for path in spec["paths"] for operation in operations(spec, path)]
    return resolve_handlers(found, spec, package)[1]


def _faults(spec: dict[str, Any], package: str = PACKAGE) -> list[str]:
    return [fault.message for fault in _resolved(spec, package)]


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        (_operation(), "def get_thing(): ..."),
        (_operation(ITEM_ID), "def get_thing(item_id): ..."),
        (_operation(LIMIT), "def get_thing(limit=None): ..."),
        (_operation(LIMIT_WITH_DEFAULT), "def get_thing(limit): ..."),
        (_operation(IF_MATCH), "def get_thing(if_match=None): ..."),
        (_operation(requestBody={"required": True}), "def get_thing(body): ..."),
        (_operation(requestBody={"content": {}}), "def get_thing(body=None): ..."),
        (_operation(), "def get_thing(): ...\ndef _helper(x): ...\nfrom os.path import join"),
    ],
)
def test_agreement_passes(handlers: ModuleType, spec: dict[str, Any], source: str) -> None:
    """Optional parameters have a default; private and imported functions are no handlers."""
    _define(handlers, source)
    assert _faults(spec) == []


HANDLER = "temporary_handlers.things.get_thing"
OPERATION = "GET /things"


@pytest.mark.parametrize(
    ("spec", "source", "line"),
    [
        (
            _operation(),
            "",
            "get_thing (GET /things) has no handler: temporary_handlers.things.get_thing is missing",
        ),
        (
            _operation(tags=["nowhere"]),
            "",
            "get_thing (GET /things) has no handler: temporary_handlers.nowhere.get_thing is missing",
        ),
        (
            _operation(),
            "def get_thing(): ...\ndef drop_thing(): ...",
            "temporary_handlers.things.drop_thing is no handler: no operation with the tag things has this operationId",
        ),
        (
            _operation(ITEM_ID),
            "def get_thing(): ...",
            f"{HANDLER} has no parameter item_id, which {OPERATION} has",
        ),
        (
            _operation(),
            "def get_thing(item_id): ...",
            f"{HANDLER} has the parameter item_id, which {OPERATION} does not have",
        ),
        (
            _operation(LIMIT),
            "def get_thing(limit): ...",
            f"{HANDLER} has no default for limit, which is optional in {OPERATION}",
        ),
        (
            _operation(IF_MATCH),
            "def get_thing(if_match): ...",
            f"{HANDLER} has no default for if_match, which is optional in {OPERATION}",
        ),
        (
            _operation(requestBody={"required": True}),
            "def get_thing(): ...",
            f"{HANDLER} has no parameter body, which {OPERATION} has",
        ),
        (
            _operation(requestBody={"content": {}}),
            "def get_thing(body): ...",
            f"{HANDLER} has no default for body, which is optional in {OPERATION}",
        ),
        (_operation(tags=[]), "", "GET /things needs an operationId and exactly one tag"),
        (
            _operation(tags=["things", "b"]),
            "",
            "GET /things needs an operationId and exactly one tag",
        ),
    ],
)
def test_a_disagreement_is_one_line_that_names_both(
    handlers: ModuleType, spec: dict[str, Any], source: str, line: str
) -> None:
    """The operation with its method and path, and the handler with its module."""
    _define(handlers, source)
    assert _faults(spec) == [line]


def test_an_operation_without_an_operation_id_is_named_by_its_path(handlers: ModuleType) -> None:
    """It has no other name."""
    spec = {"paths": {"/things": {"get": {"tags": ["things"], "responses": {}}}}}
    assert "GET /things needs an operationId and exactly one tag" in _faults(spec)
    assert handlers.__name__ == "temporary_handlers.things"


def test_what_is_named_like_a_handler_and_cannot_be_called_is_missing(handlers: ModuleType) -> None:
    """A constant is not a function."""
    _define(handlers, "get_thing = 1")
    (fault,) = _faults(_operation())
    assert fault.startswith("get_thing (GET /things) has no handler")


def test_a_handler_with_any_keywords_takes_what_the_spec_has(handlers: ModuleType) -> None:
    """It can be called with every parameter."""
    _define(handlers, "def get_thing(**keywords): ...")
    assert _faults(_operation(ITEM_ID)) == []


def test_all_disagreements_are_told_at_once(handlers: ModuleType) -> None:
    """One start is enough to find them."""
    _define(handlers, "def get_thing(a, b): ...\ndef drop_thing(): ...")
    assert len(_faults(_operation(ITEM_ID))) == 4


def test_a_broken_import_is_not_taken_for_a_missing_handler(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake inside the module is what the developer must be shown."""
    package = tmp_path / "broken_handlers"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "things.py").write_text("import a_module_that_is_not_there\ndef get_thing(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    (fault,) = _resolved(_operation(), "broken_handlers")
    assert fault.message == "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
    assert (str(fault.place), fault.place and fault.place.text) == (
        f"{package / 'things.py'}:1:1",
        "import a_module_that_is_not_there",
    )


def test_this_services_handlers_agree_with_its_spec() -> None:
    """Every operationId has a handler, and back."""
    document = load(SPECIFICATION)
    found = [op for path in document["paths"] for op in operations(document, path)]
    assert resolve_handlers(found, document, HANDLERS, (DryRun.header, IdempotencyKeys.header))[1] == []


def test_a_handler_is_found_by_operation_id_and_tag() -> None:
    """No dotted paths in the spec: they would become method names in every SDK."""
    document = load(SPECIFICATION)
    handlers, _ = resolve_handlers(operations(document, "/items"), document, HANDLERS)
    assert handlers["list_items"] is list_items


START = "import sys, handlers.items; {change}; import app; app.app"
DISAGREEMENTS: dict[str, tuple[str, str]] = {
    "a handler is missing": (
        "del handlers.items.get_item",
        """\
openapi/items.yaml:LINE:20: get_item (GET /items/{item_id}) has no handler: handlers.items.get_item is missing
 LINE |       operationId: get_item
      |                    ^^^^^^^^ \
write `def get_item(item_id, if_match=None, if_none_match=None)` in handlers/items.py
""",
    ),
    "a handler is too many": (
        "exec('def drop_all(): ...', vars(handlers.items))",
        """\
  - handlers.items.drop_all is no handler: no operation with the tag items has this operationId; \
begin the name of a helper with `_`
""",
    ),
    "a parameter is missing": (
        "exec('def get_item(item_id, if_match=None): ...', vars(handlers.items))",
        """\
openapi/items.yaml:LINE:5: handlers.items.get_item has no parameter if_none_match, which GET /items/{item_id} has
 LINE |     get:
      |     ^^^ add `if_none_match=None`
""",
    ),
}


def _line(text: str, message: str) -> int:
    """The number of the line of the operation that the message is about."""
    lines = SPECIFICATION.read_text("utf-8").splitlines()
    number = lines.index("      operationId: get_item") + 1
    return number if "operationId" in message else lines.index(text, lines.index("  /items/{item_id}:")) + 1


@pytest.mark.parametrize("kind", DISAGREEMENTS)
def test_the_start_stops_with_the_message_and_no_traceback(kind: str, tmp_path: Any) -> None:
    """For `gunicorn app:app` and `flask --app app` alike; nothing else is written, and no database is made."""
    change, message = DISAGREEMENTS[kind]
    number = _line("    get:", message)
    message = message.replace(":LINE:", f":{number}:").replace(" LINE", f"{number:5}")
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path}/items.db"}
    command = [sys.executable, "-W", "ignore", "-c", START.format(change=change)]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr == f"The service cannot start. The contract and the handlers do not fit together:\n{message}"
    assert (ended.returncode, ended.stdout) == (1, "")
    assert not (tmp_path / "items.db").exists()


def test_create_app_checks_before_it_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only at the first request."""
    monkeypatch.delattr("handlers.items.get_item")
    with pytest.raises(ContractError, match=r"get_item .* has no handler"):
        create_app(Settings.from_environ({}))
