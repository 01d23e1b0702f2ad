"""The table of statuses in `docs/errors.md` agrees with the service, Gunicorn, nginx and the contract."""

import inspect
import re
from collections.abc import Mapping
from functools import cache

from gunicorn.asgi import protocol

from app import connections, http_guard
from app.settings import ROOT
from app.specification import load
from contract.problems import Problem
from db.errors import POSTGRESQL, SQLITE
from tests.docs.markdown import read, spans, table
from tests.support import PROBLEM, operations, resolve, specification

PACKAGES = ("app", "contract", "db", "handlers")
COMPONENTS = specification()["components"]
SECURED = load(secured=True)["components"]["responses"]
"""The responses with `ACCESS=secured`."""
NOT_SENT = {426: "app/worker.py serves a request for a WebSocket as plain HTTP"}


@cache
def _rows() -> Mapping[int, tuple[str, set[str], set[str]]]:
    """The title, the senders and the headers of each status."""
    rows = [(spans(status)[0], by, headers) for status, by, _, headers in table(read("docs/errors.md"), "Statuses")]
    return {
        int(status[:3]): (status[4:], {sender.strip() for sender in by.split(",")}, set(spans(headers)))
        for status, by, headers in rows
    }


def _sent_by(sender: str) -> set[int]:
    return {status for status, (_, senders, _) in _rows().items() if sender in senders}


def _with(header: str) -> set[int]:
    return {status for status, (_, _, headers) in _rows().items() if header in headers}


def _nginx(variable: str) -> dict[int, str]:
    """The statuses of a map of nginx, without its default."""
    text = read("nginx/http.d/problem-details.conf")
    block = re.search(rf"^map \$status \${variable} \{{$(.*?)^\}}$", text, re.MULTILINE | re.DOTALL)
    assert block
    return {int(status): value for status, value in re.findall(r'^\s+(\d{3})\s+"?(.*?)"?;$', block[1], re.MULTILINE)}


def test_every_status_has_its_reason_phrase() -> None:
    """In ascending order, each once."""
    assert [title for title, _, _ in _rows().values()] == [Problem(status, "").title for status in _rows()]
    assert list(_rows()) == sorted(_rows())


def test_the_statuses_of_the_service_are_those_of_its_code() -> None:
    """A problem that the code raises, an error of the database, or a status that an operation lists."""
    sources = [file.read_text("utf-8") for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    raised = {int(status) for source in sources for status in re.findall(r"\bProblem\(\s*(\d{3})\b", source)}
    database = {failure.status for failure in (*SQLITE.values(), *POSTGRESQL.values())}
    listed = {status for operation in operations() for status in operation.definition["responses"]} - {"default"}
    assert _sent_by("service") == raised | database | {int(status) for status in listed if int(status) >= 400}


def test_the_statuses_of_gunicorn_are_those_of_its_protocol() -> None:
    """Gunicorn responds to requests that it cannot parse, and so does this service's subclass of its protocol."""
    sources = "".join(map(inspect.getsource, (protocol, connections, http_guard)))
    sent = {int(status) for status in re.findall(r"(?:_send_error_response|_refuse)\((\d{3})", sources)}
    assert _sent_by("Gunicorn") == sent - NOT_SENT.keys()
    assert NOT_SENT.keys() <= sent


def test_the_statuses_of_nginx_are_those_of_its_configuration() -> None:
    """So are the headers that nginx adds to them."""
    assert {status: _rows()[status][0] for status in _sent_by("nginx")} == _nginx("problem_title")
    assert _with("Retry-After") & _sent_by("nginx") == _nginx("problem_retry_after").keys()
    assert _with("Allow") & _sent_by("nginx") == _nginx("problem_allow").keys()


def test_the_contract_documents_the_headers_of_the_table() -> None:
    """The default response, or the response of the status, has them."""
    responses = {"default": COMPONENTS["responses"]["Problem"]}
    responses |= {
        status: resolve(response)
        for operation in operations()
        for status, response in operation.definition["responses"].items()
    }
    responses |= {"401": SECURED["Unauthorized"], "403": SECURED["Forbidden"]}
    for status, (_, _, headers) in _rows().items():
        assert headers <= responses.get(str(status), responses["default"])["headers"].keys(), status


def test_the_default_response_has_an_example_of_every_status_that_it_names() -> None:
    """They are the statuses of the table that no operation lists, and 503; HTTP's own errors have no example."""
    response = COMPONENTS["responses"]["Problem"]
    examples = [resolve(example)["value"]["status"] for example in response["content"][PROBLEM]["examples"].values()]
    named = {int(status) for status in re.findall(r"\b[45]\d\d\b", response["description"])}
    assert named == {status for status in examples if status < 500}
    assert {*examples} <= _rows().keys()
    listed = {int(s) for o in operations() for s in o.definition["responses"] if s != "default"}
    assert _rows().keys() - listed - {*examples} == {401, 403, 421, 501, 505}
