"""`x-rate-limit`: what is counted and when, the headers of responses, and which values stop the start."""

from typing import Any

import pytest

from contract import ContractError, Count, RateLimit, Request, load
from tests.contract.conftest import Serve, document
from tests.support import assert_problem

CONTRACT = """
x-rate-limit: {requests: 3, seconds: 60}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key, x-apikeyInfoFunc: tests.contract.test_limits.check_key}
paths:
  /x/{id}:
    get:
      tags: [things]
      operationId: get_x
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: X., content: {application/json: {}}}}
  /y:
    get: {tags: [things], operationId: get_y, x-rate-limit: false,
          responses: {"200": {description: Y., content: {application/json: {}}}}}
    post:
      tags: [things]
      operationId: add_y
      x-rate-limit: {requests: 1, seconds: 2}
      security: [{key: []}]
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"200": {description: Y., content: {application/json: {}}}}
"""
SOURCE = """
def get_x(id):
    if id == 0:
        raise LookupError("nothing")
    return {"id": id}
def get_y(): return {}
def add_y(body=None): return body
"""
UNEXPECTED = "Something went wrong on our side. Quote the request id when you report it."


def check_key(key: str, required_scopes: Any = None) -> dict[str, str] | None:
    """Connexion's function for a key."""
    assert required_scopes is None or required_scopes == []
    return {"sub": "ada"} if key == "ada's" else None


class Limiter:
    """Counts all requests of a limit together, and notes who sent them."""

    def __init__(self) -> None:
        self.counts: dict[RateLimit, int] = {}
        self.users: list[Any] = []

    def count(self, limit: RateLimit, request: Request) -> Count | None:
        """Count it, unless the client has no limit."""
        if request.header("X-Unlimited"):
            return None
        self.users.append(request.context.get("user"))
        self.counts[limit] = count = self.counts.get(limit, 0) + 1
        return max(-1, limit.requests - count), 1001


def test_every_response_says_what_is_left(serve: Serve) -> None:
    """Successes, violations and unexpected errors count alike, and so does the one that is too many."""
    client = serve(CONTRACT, SOURCE, limiter=Limiter())
    responses = [client.get(f"/x/{path}", headers={"X-Request-Id": "r"}) for path in ("7", "seven", "0", "7")]
    assert [response.status_code for response in responses] == [200, 400, 500, 429]
    assert [response.headers["RateLimit"] for response in responses] == [f'"default";r={r};t=2' for r in (2, 1, 0, 0)]
    assert {response.headers["RateLimit-Policy"] for response in responses} == {'"default";q=3;w=60'}
    assert_problem(responses[2], 500, UNEXPECTED, request_id="r")
    detail = "More than 3 requests in 60 s. Wait for the time in Retry-After."
    assert_problem(responses[3], 429, detail, headers={"Retry-After": "2"})


def test_an_operation_can_have_none(serve: Serve) -> None:
    """And so can a client that the limiter does not count."""
    client = serve(CONTRACT, SOURCE, limiter=Limiter())
    for response in (client.get("/y"), client.get("/x/1", headers={"X-Unlimited": "yes"})):
        assert response.status_code == 200
        assert not {"ratelimit", "ratelimit-policy"} & response.headers.keys()


def test_an_operation_can_have_one_of_its_own(serve: Serve) -> None:
    """It replaces the contract's, and has a count and a name of its own. What security knows of the client is known."""
    limiter = Limiter()
    client = serve(CONTRACT, SOURCE, limiter=limiter)
    for left, status in ((0, 200), (0, 429)):
        response = client.post("/y", json={}, headers={"X-Key": "ada's"})
        assert (response.status_code, response.headers["RateLimit"]) == (status, f'"add_y";r={left};t=2')
        assert response.headers["RateLimit-Policy"] == '"add_y";q=1;w=2'
    assert client.post("/y", json={}, headers={"X-Key": "wrong"}).status_code == 401
    assert limiter.counts == {RateLimit("add_y", 1, 2): 2}
    assert limiter.users == ["ada", "ada"]


def test_the_body_of_a_request_too_many_is_not_read(serve: Serve) -> None:
    """The response does not wait for a client that sends half of it."""
    limiter = Limiter()
    limiter.counts[RateLimit("add_y", 1, 2)] = 1
    client = serve(CONTRACT, SOURCE, limiter=limiter)
    headers = [("X-Key", b"ada's"), ("Content-Type", b"application/json"), ("Content-Length", b"2")]
    start, _ = client.abandon("POST", "/y", headers, [b"{"])
    assert start["status"] == 429


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("fast", "/x-rate-limit: `x-rate-limit` must be an object or false; such as"),
        ("true", "/x-rate-limit: `x-rate-limit` must be an object or false; such as"),
        ("{requests: 3}", "/x-rate-limit: the rate limit has no `seconds`; such as `x-rate-limit: {requests: 6000, "),
        ("{requests: 0, seconds: 1}", "/x-rate-limit/requests: `requests` must be a whole number from 1 to 10,000,000"),
        ("{requests: 1, seconds: 1.5}", "/x-rate-limit/seconds: `seconds` must be a whole number from 1 to 86,400"),
        ("{requests: true, seconds: 1}", "/x-rate-limit/requests: `requests` must be a whole number from 1 to"),
        ("{requests: 1, second: 1, seconds: 1}", "no field `second`; did you mean `seconds`?"),
    ],
)
def test_a_wrong_value_stops_the_start(wrong: str, message: str) -> None:
    """For the whole contract as for one operation, with its place."""
    text = CONTRACT.replace("{requests: 3, seconds: 60}", wrong)
    with pytest.raises(ContractError) as caught:
        load(document(text))
    assert f"{message}" in str(caught.value)
    text = CONTRACT.replace("{requests: 1, seconds: 2}", wrong)
    with pytest.raises(ContractError) as caught:
        load(document(text))
    assert "/paths/~1y/post/x-rate-limit" in str(caught.value)


def test_a_limit_that_nothing_enforces_stops_the_start(serve: Serve) -> None:
    """Where there is no limiter, and where plain Connexion serves the operation."""
    with pytest.raises(ContractError, match=r"get_x .* cannot be compiled: x-rate-limit needs limiter="):
        serve(CONTRACT, SOURCE)
    text = CONTRACT.replace("operationId: get_x\n", "operationId: get_x\n      x-pipeline: connexion\n")
    with pytest.raises(ContractError, match="plain Connexion does not enforce x-rate-limit; "):
        serve(text, SOURCE, limiter=Limiter())
