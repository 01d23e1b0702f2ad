"""The service in process keeps its contract, whatever Schemathesis sends."""

import schemathesis
from connexion import FlaskApp

from tools.conformance.configuration import configuration
from tools.conformance.engine import run


def test_every_generated_request_is_answered_as_the_contract_says(application: FlaskApp) -> None:
    """All phases, all checks, none excluded, and not one failure."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", application, config=configuration())
    run(schema, max_examples=40)
