"""The lint rules for the contract find faults: each rule has at least one deliberate fault."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from app import SPECIFICATION
from app.settings import ROOT
from app.specification import load, source
from tests.docs.markdown import blocks, read
from tests.support import specification

RULES = ROOT / "openapi" / "spectral.yaml"
RULESET = yaml.safe_load(RULES.read_text("utf-8"))
HOUSE = {name: rule for name, rule in RULESET["rules"].items() if isinstance(rule, dict)}
PROGRAMS = ROOT / "node_modules" / ".bin"
pytestmark = pytest.mark.skipif(not PROGRAMS.is_dir(), reason="no Spectral (make .venv-tools/ready)")
ENVIRON = {
    **os.environ,
    "PATH": f"{ROOT / '.venv-tools' / 'bin'}:{os.environ['PATH']}",
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
}
GONE = object()
LIST, CREATE, GET = "paths /items get", "paths /items post", "paths /items/{item_id} get"
DELETE = "paths /items/{item_id} delete"
(RETIREMENT,) = (block for block in blocks(read("docs/limits.md"), "yaml") if "x-sunset" in block)
RETIRED: dict[str, Any] = {**specification()["paths"]["/items"]["get"], **yaml.safe_load(RETIREMENT)["get"]}
"""`list_items` with the lines of the page that retire it."""


class Fault(NamedTuple):
    """`put` replaces the value at `place` (keys separated by spaces), or removes it; `rule` must report it."""

    rule: str
    place: str
    put: Any = GONE

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}"


FAULTS = (
    Fault("openapi-3-0-3", "openapi", "3.0.2"),
    Fault("info-description-length", "info description", "a\nb\nc\nd\ne\nf\n"),
    Fault("info-description-length", "info description"),
    Fault("info-external-docs", "externalDocs"),
    Fault("url-is-real", "externalDocs url", "https://example.com/items"),
    Fault("url-is-real", "tags 0 externalDocs url", "https://docs.items.example/"),
    Fault("operation-id-snake-case", f"{LIST} operationId", "listItems"),
    Fault("operation-id-snake-case", f"{LIST} operationId", "handlers.items.list_items"),
    Fault("operation-one-tag", f"{LIST} tags", ["items", "health"]),
    Fault("operation-one-tag", f"{LIST} tags", []),
    Fault("operation-summary", f"{LIST} summary"),
    Fault("operation-summary-length", f"{LIST} summary", "x" * 61),
    Fault("operation-responses", f"{LIST} responses default"),
    Fault("operation-responses", f"{DELETE} responses 400"),
    Fault("operation-responses", f"{DELETE} responses 410", {"$ref": "#/components/responses/NotFound"}),
    Fault("operation-default", f"{LIST} responses default $ref", "#/components/responses/Conflict"),
    Fault("operation-own-statuses", f"{LIST} responses 405", {"$ref": "#/components/responses/Problem"}),
    Fault("operation-own-statuses", f"{CREATE} responses 507", {"$ref": "#/components/responses/Problem"}),
    Fault("operation-not-found", f"{GET} responses 404"),
    Fault("write-conflict", f"{DELETE} responses 409"),
    Fault("sunset-is-announced", f"{LIST} x-sunset", "2027-06-30"),
    Fault("sunset-is-announced", LIST, {**RETIRED, "deprecated": False}),
    Fault("sunset-is-announced", LIST, {name: RETIRED[name] for name in RETIRED if name != "deprecated"}),
    Fault("sunset-is-announced", LIST, {name: RETIRED[name] for name in RETIRED if name != "x-deprecated-since"}),
    Fault("retirement-is-a-date", LIST, {**RETIRED, "x-sunset": "30 June 2027"}),
    Fault("retirement-is-a-date", LIST, {**RETIRED, "x-sunset": "2027-02-30"}),
    Fault("retirement-is-a-date", LIST, {**RETIRED, "x-sunset": "2027-06-30 12:00:00Z"}),
    Fault("retirement-is-a-date", LIST, {**RETIRED, "x-sunset": "2027-06-30T12:00:00"}),
    Fault("retirement-is-a-date", LIST, {**RETIRED, "x-sunset": 20270630}),
    Fault("retirement-is-a-date", LIST, {**RETIRED, "x-deprecated-since": "@1793491200"}),
    Fault("error-is-shared", f"{LIST} responses 400", specification()["components"]["responses"]["BadRequest"]),
    Fault("error-is-shared", f"{LIST} responses default", specification()["components"]["responses"]["Problem"]),
    Fault("error-is-problem", "components responses BadRequest content"),
    Fault("error-is-problem", "components responses Problem content"),
    Fault("error-is-problem", "components responses BadRequest content application/json", {"example": 1}),
    Fault(
        "problem-is-one-schema",
        "components responses NotFound content application/problem+json schema $ref",
        "#/components/schemas/Health",
    ),
    Fault("response-headers", f"{GET} responses 200 headers X-Request-Id"),
    Fault("response-headers", f"{GET} responses 200 headers Cache-Control"),
    Fault("response-headers", "components headers X-Request-Id required", put=False),
    Fault("response-headers", "components headers Cache-Control required", put=False),
    Fault("status-headers", f"{CREATE} responses 201 headers Location"),
    Fault("status-headers", f"{CREATE} responses 201 headers ETag"),
    Fault("status-headers", f"{CREATE} responses 201 headers"),
    Fault("status-headers", "components responses NotModified headers ETag"),
    Fault("status-headers", "components responses PreconditionFailed headers ETag"),
    Fault("status-headers", "components responses NotReady headers Retry-After"),
    Fault("status-headers", "components responses Problem headers Allow"),
    Fault("status-headers", "components responses Problem headers Accept"),
    Fault("status-headers", "components responses Problem headers Accept-Patch"),
    Fault("status-headers", "components responses Problem headers Retry-After"),
    Fault("object-is-named", f"{CREATE} requestBody content application/json schema", {"type": "object"}),
    Fault("object-is-named", "components responses Healthy content application/json schema", {"properties": {}}),
    Fault("object-is-named", "components schemas ItemList items", {"type": "object"}),
    Fault("object-is-named", "components schemas Item properties description", {"type": "object"}),
    Fault("object-is-named", "components schemas Item properties id allOf", [{"type": "object"}]),
    Fault("object-is-closed", "components schemas NewItem additionalProperties", put=True),
    Fault("object-is-closed", "components schemas NewItem additionalProperties"),
    Fault("object-is-closed", "components schemas Item additionalProperties", {"type": "string", "maxLength": 1}),
    Fault("string-has-limits", "components schemas ItemName maxLength"),
    Fault("string-has-limits", "components schemas PageCursor maxLength"),
    Fault("string-has-limits", "components headers Link schema maxLength"),
    Fault("number-has-limits", "components schemas ItemId minimum"),
    Fault("number-has-limits", "components parameters Limit schema maximum"),
    Fault("array-has-limits", "components schemas ItemList maxItems"),
    Fault("array-has-limits", "components schemas Problem properties errors maxItems"),
    Fault("server-owned-is-read-only", "components schemas Item properties id readOnly"),
    Fault("server-owned-is-read-only", "components schemas Item properties updated_at readOnly"),
    Fault("request-has-no-read-only", "components schemas ItemPatch properties name", {"readOnly": True}),
    Fault("pattern-is-described", "components schemas ItemName x-pattern-description"),
    Fault("pattern-is-described", "components schemas EntityTags x-pattern-description", "quoted entity tags"),
    Fault("pattern-is-described", "components schemas PageCursor x-pattern-description"),
    Fault("component-is-described", "components schemas ItemList description"),
    Fault("component-is-described", "components parameters Limit description"),
    Fault("component-is-described", "components headers ETag description"),
    Fault("component-is-described", "components responses NotFound description", ""),
    Fault("component-is-described", "components links GetItem description"),
    Fault("property-is-described", "components schemas Problem properties title description"),
    Fault("property-is-described", "components schemas ItemDescription description"),
    Fault("example-has-a-summary", "components examples Lamp summary"),
    Fault("body-has-examples", f"{CREATE} requestBody content application/json examples"),
    Fault("body-has-examples", f"{GET} responses 200 content application/json examples"),
    Fault("example-is-shared", f"{GET} responses 200 content application/json examples lamp", {"value": {}}),
    Fault("value-has-an-example", "components schemas ItemId example"),
    Fault("value-has-an-example", "components schemas Problem properties title example"),
    Fault("parameter-has-an-example", "components parameters Limit example"),
    Fault("parameter-has-an-example", "components headers Link example"),
    # Rules of Spectral itself that the project relies on
    Fault("oas3-schema", f"{LIST} responses 200 description"),
    Fault("oas3-parameter-description", "components parameters Limit description"),
    Fault("tag-description", "tags 0 description"),
    Fault("operation-description", f"{LIST} description"),
    Fault("operation-operationId", f"{LIST} operationId"),
    Fault("operation-operationId-unique", f"{LIST} operationId", "get_item"),
    Fault("operation-tag-defined", f"{LIST} tags", ["nothing"]),
    Fault("oas3-unused-component", "components schemas Forgotten", {"type": "string", "maxLength": 1}),
    Fault("oas3-valid-media-example", "components parameters Limit example", 101),
    Fault("oas3-valid-media-example", "components headers ETag example", "1"),
    Fault("oas3-valid-media-example", "components examples NewItem value", {"colour": "green"}),
    Fault("oas3-valid-media-example", "components examples Lamp value id", 0),
    Fault("oas3-valid-schema-example", "components schemas ItemName example", " "),
    Fault("path-params", "components parameters ItemIdInPath name", "id"),
    Fault("owasp:api3:2023-no-additionalProperties", "components schemas NewItem additionalProperties", True),  # noqa: FBT003 -- JSON
    Fault("owasp:api4:2023-array-limit", "components schemas ItemList maxItems"),
    Fault("owasp:api4:2023-integer-limit-legacy", "components schemas ItemId maximum"),
    Fault("owasp:api4:2023-string-limit", "components schemas UniqueKey maxLength"),
    Fault("owasp:api7:2023-concerning-url-parameter", "components parameters Limit name", "redirect_url"),
    Fault("owasp:api8:2023-define-error-validation", f"{LIST} responses 400"),
    Fault("owasp:api8:2023-no-server-http", "servers 0 url", "http://items.internal/"),
)


def broken(fault: Fault) -> Any:
    """Return the contract with the fault."""
    document: Any = deepcopy(specification())
    *way, last = [int(step) if step.isdigit() and len(step) == 1 else step for step in fault.place.split(" ")]
    node = reduce(lambda found, step: found[step], way, document)
    if fault.put is GONE:
        del node[last]
    else:
        node[last] = fault.put
    return document


def spectral(rules: Path, files: Sequence[Path]) -> list[set[str]]:
    """Return the violated rules of each file. Spectral reads all files in one run."""
    command = [
        str(PROGRAMS / "spectral"),
        "lint",
        "--ruleset",
        str(rules),
        "--fail-severity=hint",
        "--format=json",
        "--quiet",
        *map(str, files),
    ]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stderr.decode()
    found = json.loads(done.stdout)
    assert bool(found) == bool(done.returncode)
    return [{str(result["code"]) for result in found if result["source"] == str(file)} for file in files]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> list[set[str]]:
    """Return the rules that report each fault. Spectral's own rules are slow, so they run only for their own faults."""
    folder = tmp_path_factory.mktemp("broken")
    files = [folder / f"{number}.yaml" for number in range(len(FAULTS))]
    for fault, file in zip(FAULTS, files, strict=True):
        file.write_text(yaml.safe_dump(broken(fault), sort_keys=False), "utf-8")
    house = folder / "house.yaml"
    house.write_text(yaml.safe_dump({"aliases": RULESET["aliases"], "rules": HOUSE}), "utf-8")
    found: dict[Path, set[str]] = {}
    for rules, is_ours in ((house, True), (RULES, False)):
        chosen = [file for fault, file in zip(FAULTS, files, strict=True) if (fault.rule in HOUSE) is is_ours]
        found |= dict(zip(chosen, spectral(rules, chosen), strict=True))
    return [found[file] for file in files]


def test_the_contract_satisfies_every_rule(tmp_path: Path) -> None:
    """There are not even hints, also not for an operation that is retired as in `docs/limits.md`."""
    files = [SPECIFICATION]
    for sunset in ("2027-06-30", "2027-06-30T12:00:00.5+02:00"):
        files.append(tmp_path / f"{len(files)}.yaml")
        document = broken(Fault("", LIST, {**RETIRED, "x-sunset": sunset}))
        files[-1].write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    assert spectral(RULES, files) == [set()] * len(files)


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[str(fault) for fault in FAULTS])
def test_a_fault_is_reported_by_its_rule(reported: list[set[str]], number: int) -> None:
    """Other rules may report it as well."""
    assert FAULTS[number].rule in reported[number]


def test_every_rule_reports_a_fault() -> None:
    """A rule that never reports anything is useless."""
    on = {name for name, rule in RULESET["rules"].items() if rule is not False}  # YAML 1.1 reads "off" as false
    assert on <= {fault.rule for fault in FAULTS}


def test_a_rule_reports_everything_that_is_missing_at_once(tmp_path: Path) -> None:
    """Not one status or header for each run."""
    document: Any = deepcopy(specification())
    responses = document["paths"]["/items"]["post"]["responses"]
    del responses["400"], responses["default"], responses["201"]["headers"]["Location"]
    del responses["201"]["headers"]["ETag"]
    file = tmp_path / "items.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    command = [str(PROGRAMS / "spectral"), "lint", "--ruleset", str(RULES), "--format=json", "--quiet", str(file)]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, timeout=300, check=False)
    found = [(result["code"], result["message"]) for result in json.loads(done.stdout)]
    for rule, names in {"operation-responses": ("400", "default"), "status-headers": ("Location", "ETag")}.items():
        for name in names:
            assert any(code == rule and f'"{name}"' in message for code, message in found), (rule, name, found)


def test_the_secured_contract_has_rules_of_its_own() -> None:
    """An operation without security, or without 401, is a fault; health checks are not."""
    document = yaml.safe_load(source(load(secured=True), secured=True))
    incomplete = deepcopy(document)
    del incomplete["paths"]["/items"]["post"]["responses"]["401"]
    with tempfile.TemporaryDirectory(dir=ROOT / "sdk") as folder:  # exceptions of the rules are for files in sdk/
        files = []
        for name, content in (("1", document), ("2", {**document, "security": []}), ("3", incomplete)):
            files.append(Path(folder) / f"{name}.yaml")
            files[-1].write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
        found = spectral(RULES.with_name("spectral-secured.yaml"), files)
    assert found[0] == set()
    assert {"owasp:api2:2023-write-restricted", "owasp:api2:2023-read-restricted"} <= found[1]
    assert found[2] == {"owasp:api8:2023-define-error-responses-401"}


def test_make_lint_contract_runs_both_programs_and_has_one_exit_status(tmp_path: Path) -> None:
    """A fault that both find is reported by both; a fault that one finds fails the command as well."""
    for name in (
        "openapi",
        ".venv",
        ".venv-tools",
        "node_modules",
        "Makefile",
        "app",
        "contract",
        "db",
        "handlers",
        "tools",
    ):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "openapi").unlink()
    shutil.copytree(ROOT / "openapi", tmp_path / "openapi")
    command = ["make", "--silent", "-o", ".venv/runtime", "-o", ".venv-tools/ready", "lint-contract"]
    contract = tmp_path / "openapi" / "items.yaml"
    statuses = []
    for old, new in (
        ("", ""),
        ("\n      tags: [items]\n", "\n      tag: [items]\n"),
        ("  license:\n", "  x-license:\n"),
    ):
        text = SPECIFICATION.read_text("utf-8")
        assert old in text
        contract.write_text(text.replace(old, new, 1), "utf-8")
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        statuses.append(done.returncode)
        output = done.stdout + done.stderr
        if "tag:" in new:
            assert "oas3-schema" in output
            assert "generated by the struct rule" in output
    assert statuses == [0, 2, 2]


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("struct", Fault("", f"{LIST} responses")),
        ("no-unused-components", Fault("", "components schemas Forgotten", {"type": "string", "maxLength": 1})),
        ("path-declaration-must-exist", Fault("", "paths /items/{}", specification()["paths"]["/healthz"])),
        ("info-license", Fault("", "info license")),
        ("no-unresolved-refs", Fault("", f"{GET} responses 404 $ref", "#/components/responses/Nowhere")),
    ],
)
def test_redocly_reports_faults_and_warnings_are_errors(tmp_path: Path, rule: str, fault: Fault) -> None:
    """All of its recommended rules are on."""
    file = tmp_path / "items.yaml"
    file.write_text(yaml.safe_dump(broken(fault), sort_keys=False), "utf-8")
    rules = ROOT / "openapi" / "redocly.yaml"
    command = [str(PROGRAMS / "redocly"), "lint", "--config", str(rules), "--format=json", str(file)]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert (rule, "error") in {
        (problem["ruleId"], problem["severity"]) for problem in json.loads(done.stdout)["problems"]
    }
