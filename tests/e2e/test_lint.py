"""The lint of the contract notices what it is there for: each rule of the project, broken once on purpose."""

import json
import os
import subprocess
from collections.abc import Sequence
from copy import deepcopy
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from app import SPECIFICATION
from app.settings import ROOT
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


class Fault(NamedTuple):
    """`put` in the place of what is at `place` (keys with spaces between them), or nothing; `rule` must notice it."""

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
    Fault("response-request-id", f"{GET} responses 200 headers X-Request-Id"),
    Fault("response-request-id", "components headers X-Request-Id required", put=False),
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
    # Spectral's own rules that this project relies on
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
)


def broken(fault: Fault) -> Any:
    """The contract with the fault in it."""
    document: Any = deepcopy(specification())
    *way, last = [int(step) if step.isdigit() and len(step) == 1 else step for step in fault.place.split(" ")]
    node = reduce(lambda found, step: found[step], way, document)
    if fault.put is GONE:
        del node[last]
    else:
        node[last] = fault.put
    return document


def spectral(rules: Path, files: Sequence[Path]) -> list[set[str]]:
    """For each file the rules that it breaks. Spectral reads all of them in one run."""
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
def noticed(tmp_path_factory: pytest.TempPathFactory) -> list[set[str]]:
    """For each fault the rules that noticed it. Only Spectral's own faults are put to its own rules: they take long."""
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


def test_the_contract_keeps_every_rule() -> None:
    """Not so much as a hint."""
    assert spectral(RULES, [SPECIFICATION]) == [set()]


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[str(fault) for fault in FAULTS])
def test_a_fault_is_noticed_by_the_rule_that_names_it(noticed: list[set[str]], number: int) -> None:
    """Others may notice it as well."""
    assert FAULTS[number].rule in noticed[number]


def test_every_rule_of_the_house_has_a_fault_that_it_notices() -> None:
    """A rule that never speaks is none."""
    assert set(RULESET["rules"]) <= {fault.rule for fault in FAULTS}


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
def test_redocly_notices_too_and_a_warning_is_an_error(tmp_path: Path, rule: str, fault: Fault) -> None:
    """Its recommended rules, all of them."""
    file = tmp_path / "items.yaml"
    file.write_text(yaml.safe_dump(broken(fault), sort_keys=False), "utf-8")
    rules = ROOT / "openapi" / "redocly.yaml"
    command = [str(PROGRAMS / "redocly"), "lint", "--config", str(rules), "--format=json", str(file)]
    done = subprocess.run(command, env=ENVIRON, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert (rule, "error") in {
        (problem["ruleId"], problem["severity"]) for problem in json.loads(done.stdout)["problems"]
    }
