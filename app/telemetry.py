"""Spans for OpenTelemetry: one for each request to an operation, with the client's `traceparent` as its parent.

Only with OTEL_EXPORTER_OTLP_ENDPOINT; otherwise, nothing of OpenTelemetry is imported and requests cost nothing more.
The SDK reads its own environment variables: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import asyncio
import os
from typing import Any

from app.settings import SettingsError
from contract import Interceptor, Proceed, Request
from contract.responses.response import Response
from contract.serving.traces import trace_id
from contract.spec.operations import Operation

_MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed. "
    "Install it with: pip install --require-hashes -r requirements/telemetry.txt"
)
_CONTEXT = ("traceparent", "tracestate", "baggage")


class Telemetry:
    """Makes spans and exports them. `run` must run beside the requests. Raise `SettingsError` if it is not installed.

    `exporter` replaces the one for OTLP.
    """

    def __init__(self, version: str, exporter: Any = None) -> None:
        try:
            from opentelemetry import propagate, trace
            from opentelemetry.sdk.trace import TracerProvider
        except ImportError:
            raise SettingsError(_MISSING) from None
        self._extract = propagate.extract
        self._trace = trace
        self._make_provider = TracerProvider
        self._version = version
        self._exporter = exporter
        self._tracer = trace.get_tracer(__name__)  # makes no spans; `run` replaces it

    async def run(self) -> None:
        """Export spans until this is cancelled, then those that are left. Each worker has a thread for it."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = os.environ.get("OTEL_SERVICE_NAME") or "items"
        resource = Resource.create({"service.name": name, "service.version": self._version})
        provider = self._make_provider(resource=resource)
        provider.add_span_processor(BatchSpanProcessor(self._exporter or OTLPSpanExporter()))
        self._tracer = provider.get_tracer(__name__, self._version)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(provider.shutdown)

    def around(self, operation: Operation) -> Interceptor:
        """Return the code around an operation (https://opentelemetry.io/docs/specs/semconv/http/http-spans/)."""
        method = operation.method.upper()
        name = f"{method} {operation.path}"
        kind = self._trace.SpanKind.SERVER
        error = self._trace.Status(self._trace.StatusCode.ERROR)
        attributes = {
            "http.request.method": method,
            "http.route": operation.path,
            "openapi.operation_id": operation.operation_id,
        }

        async def span(request: Request, proceed: Proceed) -> Response:
            carrier = {key: value for key in _CONTEXT if (value := request.header(key)) is not None}
            parent = self._extract(carrier)
            with self._tracer.start_as_current_span(name, parent, kind, {**attributes, **_of(request)}) as current:
                context = current.get_span_context()
                if context.is_valid:
                    trace_id.set(f"{context.trace_id:032x}")
                response = await proceed(request)
                current.set_attribute("http.response.status_code", response.status)
                if response.status >= 500:
                    current.set_status(error)
                return response

        return span


def _of(request: Request) -> dict[str, str]:
    scope = request.scope
    return {"url.path": scope["path"], "url.scheme": scope["scheme"]}
