"""`Cache-Control`: `no-cache` with an ETag, `no-store` without one, unless the response has its own."""

from collections.abc import Callable

import httpx
import pytest

from tests.contract.conftest import Serve
from tests.contract.test_request_ids import RESULTS
from tests.support import ContractClient

ITEM = "/items/1"
WITH_ETAG: dict[str, Callable[[ContractClient], httpx.Response]] = {
    "200": lambda client: client.get(ITEM),
    "HEAD": lambda client: client.head(ITEM),
    "304": lambda client: client.get(ITEM, headers={"If-None-Match": "*"}),
    "412": lambda client: client.get(ITEM, headers={"If-Match": '"7"'}),
    "PUT": lambda client: client.put(ITEM, json={"name": "x"}),
    "201": RESULTS["201"],
}
WITHOUT_ETAG = RESULTS.keys() - {"201", "page", "spec"}
CONTRACT = """
paths:
  /own:
    get:
      tags: [things]
      operationId: get_own
      %s
      responses:
        "200":
          description: Its own Cache-Control.
          headers:
            Cache-Control: {required: true, schema: {type: string, enum: [max-age=60, no-store]}}
          content: {application/json: {schema: {type: object}}}
"""
PIPELINES = pytest.mark.parametrize("pipeline", ["deprecated: false", "x-pipeline: connexion"])
OWN = 'def get_own(): return {}, 200, {"Cache-Control": "max-age=60"}'
NONE = "def get_own(): return {}"
INVALID = 'def get_own(): return {}, 200, {"Cache-Control": "public"}'


@pytest.mark.parametrize("kind", WITH_ETAG)
def test_a_response_with_an_etag_must_be_revalidated(client: ContractClient, kind: str) -> None:
    """Also when it is a problem."""
    client.create()
    response = WITH_ETAG[kind](client)
    assert "ETag" in response.headers
    assert response.headers.get_list("Cache-Control") == ["no-cache"]


@pytest.mark.parametrize("kind", sorted(WITHOUT_ETAG))
def test_any_other_response_must_not_be_stored(client: ContractClient, kind: str) -> None:
    """Lists, 204, redirects and problems."""
    client.create()
    response = RESULTS[kind](client, headers={})
    assert "ETag" not in response.headers
    assert response.headers.get_list("Cache-Control") == ["no-store"]


def test_health_checks_are_not_stored(client: ContractClient) -> None:
    """A cached health check would report the past."""
    for path in ("/healthz", "/readyz"):
        assert client.get(path).headers.get_list("Cache-Control") == ["no-store"]


@PIPELINES
def test_a_response_keeps_its_own(serve: Serve, pipeline: str) -> None:
    """Once."""
    response = serve(CONTRACT % pipeline, OWN).get("/own")
    assert (response.status_code, response.headers.get_list("Cache-Control")) == (200, ["max-age=60"])


def test_a_handler_need_not_set_a_documented_one(serve: Serve) -> None:
    """The engine adds it, although the contract requires it."""
    response = serve(CONTRACT % "", NONE).get("/own")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")


def test_a_handlers_own_must_match_the_contract(serve: Serve) -> None:
    """Like every other documented header."""
    assert serve(CONTRACT % "", INVALID).get("/own").status_code == 500
