"""A contract to edit, and what is said of the changes; shared by the tests of the contract diff."""

from copy import deepcopy
from enum import Enum
from functools import reduce
from typing import Any

import yaml

from tools.contract_diff.changes import Change
from tools.contract_diff.documents import Contract
from tools.contract_diff.operations import changes

B, C = "breaking", "compatible"
PUT = "paths /things/{id} put"


class _Gone(Enum):
    """In place of a value: the key is removed."""

    GONE = "gone"


GONE = _Gone.GONE
TEXT = {"type": "string", "maxLength": 10}
BASE: dict[str, Any] = yaml.safe_load("""
openapi: 3.0.3
info: {title: Things, version: 1.2.0}
servers: [{url: /}]
x-body-limit: 1000
paths:
  /things/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, minimum: 1, maximum: 9}}
    put:
      operationId: put_thing
      tags: [things]
      parameters:
        - {name: tags, in: query, schema: {type: array, items: {type: string}}}
        - $ref: "#/components/parameters/Mode"
      requestBody:
        content:
          application/json: {schema: {$ref: "#/components/schemas/Thing"}}
      responses:
        "200":
          description: Yes
          headers:
            ETag: {required: true, schema: {type: string, maxLength: 9}}
          content:
            application/json: {schema: {$ref: "#/components/schemas/Thing"}}
        "404": {$ref: "#/components/responses/Gone"}
components:
  parameters:
    Mode: {name: X-Mode, in: header, schema: {type: string, enum: [a, b], default: a}}
  responses:
    Gone: {description: No, content: {text/plain: {schema: {type: string, maxLength: 9}}}}
  schemas:
    Thing:
      type: object
      additionalProperties: false
      required: [name]
      properties:
        name: {allOf: [{$ref: "#/components/schemas/Name"}], description: What it is called}
        size: {type: integer, minimum: 1, maximum: 9}
        kind: {type: string, enum: [a, b]}
        labels: {type: array, maxItems: 5, items: {$ref: "#/components/schemas/Name"}}
        parts: {type: array, items: {$ref: "#/components/schemas/Thing"}}
        open: {type: object, properties: {a: {type: string}}}
        either: {oneOf: [{$ref: "#/components/schemas/Name"}, {type: integer}]}
        inner: {$ref: "#/components/schemas/Inner"}
    Inner: {type: object, additionalProperties: false, properties: {x: {type: boolean}}}
    Name: {type: string, minLength: 1, maxLength: 80, pattern: "^a"}
""")


def edited(*edits: tuple[str, Any]) -> Any:
    """The base with something else at each place (keys with spaces between them), or nothing."""
    document: Any = deepcopy(BASE)
    for place, put in edits:
        *way, last = place.split(" ")
        node: Any = reduce(lambda found, step: found[int(step) if isinstance(found, list) else step], way, document)
        if put is GONE:
            del node[last]
        else:
            node[int(last) if isinstance(node, list) else last] = deepcopy(put)
    return document


def diff(old: Any, new: Any) -> list[Change]:
    """The changes between two documents."""
    return changes(Contract("things.yaml", old), Contract("things.yaml", new))


def said(old: Any, new: Any) -> list[str]:
    """The changes as they are printed, without the line."""
    return [f"{B if change.breaks else C} {change.where}: {change.text}" for change in diff(old, new)]
