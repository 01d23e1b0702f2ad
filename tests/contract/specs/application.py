"""Any contract with any handlers, served; and the requests and responses that tests speak of."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from connexion import FlaskApp

import contract
from tests.support import PROBLEM, TITLES, UNFORESEEN, ContractClient

SPECS = Path(__file__).parent
REQUEST_ID = "asked-by-a-test"
CONTENT_TYPE = "Content-Type"


def load(name: str) -> dict[str, Any]:
    """One of the specs beside this file."""
    document: dict[str, Any] = yaml.safe_load((SPECS / f"{name}.yaml").read_bytes())
    return document


def build(specification: Path | Mapping[str, Any], handlers: str, **options: Any) -> FlaskApp:
    """The application of a contract and a package of handlers. `options` are those of `contract.install()`."""
    application = FlaskApp(__name__, server_args={"static_folder": None})
    contract.install(application, specification, handlers, **options)
    return application


@dataclass
class Service:
    """A started application."""

    client: ContractClient


class _Listener(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.INFO)
        self.said = said

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def listening(logger: str, level: int = logging.INFO) -> Iterator[list[str]]:
    """What a logger says meanwhile."""
    said: list[str] = []
    listener, speaker = _Listener(said), logging.getLogger(logger)
    before = speaker.level
    speaker.setLevel(level)
    speaker.addHandler(listener)
    try:
        yield said
    finally:
        speaker.removeHandler(listener)
        speaker.setLevel(before)


@contextmanager
def serving(name: str, **options: Any) -> Iterator[Service]:
    """One of the contracts beside this file with its handlers, started."""
    with ContractClient(build(SPECS / f"{name}.yaml", f"{__package__}.{name}_handlers", **options)) as client:
        yield Service(client)


@dataclass(frozen=True)
class Request:
    """A request; a `body` that is not bytes goes as JSON."""

    method: str
    path: str
    headers: Sequence[tuple[str, str]] = ()
    body: Any = None

    def put_to(self, service: Service) -> httpx.Response:
        """The response to it."""
        headers = [("X-Request-Id", REQUEST_ID), *self.headers]
        content = self.body
        if content is not None and not isinstance(content, bytes):
            content = json.dumps(content).encode()
            if CONTENT_TYPE not in dict(headers):
                headers.append((CONTENT_TYPE, "application/json"))
        response: httpx.Response = service.client.request(self.method, self.path, headers=headers, content=content)
        return response


@dataclass(frozen=True)
class Expected:
    """A whole response. A `body` that is not bytes is compared as JSON; None is no body and no media type."""

    status: int
    body: Any = None
    media_type: str | None = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def check(self, response: httpx.Response) -> None:
        """Compare a response with it: status, all headers but the connection's, and body."""
        expected = {name.lower(): value for name, value in self.headers.items()}
        if self.body is not None and self.media_type is not None:
            expected[CONTENT_TYPE.lower()] = self.media_type
        if self.body is None:
            body: Any = response.content or None
        else:
            body = response.content if isinstance(self.body, bytes) else response.json()
        headers = {name: value for name, value in response.headers.items() if name not in _OWN_HEADERS}
        assert (response.status_code, headers, body) == (self.status, expected, self.body)
        assert response.headers["X-Request-Id"] == REQUEST_ID
        assert response.headers.get_list("Content-Length") in ([], [str(len(response.content))])


_OWN_HEADERS = ("cache-control", "content-length", "x-request-id", "transfer-encoding")


@dataclass(frozen=True)
class Exchange:
    """A request by a name, and the response that the contract has to it."""

    name: str
    request: Request
    expected: Expected

    def __str__(self) -> str:
        return self.name if len(self.name) < 200 else f"{self.name[:200]}..."


def problem(status: int, detail: str, **properties: Any) -> Expected:
    """A problem, whole."""
    titles = {401: "Unauthorized", 403: "Forbidden", 418: "I'm a Teapot", 422: "Unprocessable Content", **TITLES}
    body = {"type": "about:blank", "title": titles[status], "status": status, "detail": detail}
    return Expected(status, body | properties, PROBLEM)


def refused(*errors: tuple[str, str, str]) -> Expected:
    """400 with these violations: place, name, detail."""
    properties = [{place: at, "detail": detail} for place, at, detail in errors]
    if len(errors) > 1:
        return problem(400, f"The request has {len(errors)} violations; see errors.", errors=properties)
    ((place, at, detail),) = errors
    subject = f"{at}:" if at else {"pointer": "The body", "parameter": "The query string"}[place]
    return problem(400, f"{subject} {detail}", errors=properties)


def broken() -> Expected:
    """500 that tells nothing but the request id."""
    return problem(500, UNFORESEEN, request_id=REQUEST_ID)
