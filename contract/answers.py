"""The stock pipeline's answers and problems, held against the contract by the code that holds the compiled ones."""

import logging
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
from connexion.middleware.response_validation import ResponseValidationOperation
from connexion.utils import is_json_mimetype
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contract.gateway import ADDED_HEADERS
from contract.negotiation import media_type
from contract.parameters import header_text
from contract.problems import Problem
from contract.responses import ContractBrokenError, Responses
from contract.returned import Returned
from contract.routes import Operation, Routes
from contract.schemas import Document, Uncompilable

logger = logging.getLogger(__name__)


class _Operation:
    """What makes the answers of one operation, and what its contract says of them."""

    def __init__(self, app: ASGIApp, responses: Responses) -> None:
        self._app = app
        self._responses = responses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(self._responses, send)
        try:
            await self._app(scope, receive, answer)
        except Problem as problem:
            if not answer.started:
                self._responses.problem(problem)
            raise
        if answer.fault:
            raise answer.fault


class _Answer:
    """`send` that holds an answer back until it is judged: whole, or by its beginning if it comes in pieces.

    A fault is kept, not raised: the thread that makes the pieces would wait for ever for somebody to take them.
    """

    def __init__(self, responses: Responses, send: Send) -> None:
        self._responses = responses
        self._send = send
        self._held: list[Message] = []
        self.started = False
        self.fault: ContractBrokenError | None = None

    async def __call__(self, message: Message) -> None:
        if self.started:
            await self._send(message)
        elif not self.fault:
            self._held.append(message)
            start, *parts = self._held
            try:
                if _comes_in_pieces(start):
                    self._judge(start, iter(()))
                elif parts and not message.get("more_body", False):
                    self._judge(start, b"".join(part.get("body", b"") for part in parts))
                else:
                    return
            except ContractBrokenError as fault:
                self.fault = fault
                return
            self.started = True
            for held in self._held:
                await self._send(held)

    def _judge(self, start: Message, body: bytes | Iterator[bytes]) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        if body == b"" and is_json_mimetype(_media_type(start) or "application/json"):  # Connexion's word for null
            self._responses.answer(Returned(None, start["status"], headers))
        else:
            self._responses.answer(Returned(body, start["status"], headers, encoded=True))


def _media_type(start: Message) -> str | None:
    header = header_text(start["headers"], "content-type")
    return media_type(header)[0] if header else None


def _comes_in_pieces(start: Message) -> bool:
    """Whether an answer is sent as it is made. JSON is not, because it is judged whole."""
    name = _media_type(start)
    has_length = header_text(start["headers"], "content-length") is not None
    return name is not None and not is_json_mimetype(name) and not has_length and start["status"] not in (204, 304)


class _API(RoutedAPI[Any]):  # type: ignore[misc]  # Connexion has no types
    """The operations of one spec."""

    def __init__(
        self,
        specification: Any,
        *,
        validate_responses: bool = False,
        validator_map: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(specification, **options)
        self._enforce = validate_responses
        self._validator_map = validator_map
        self._document = Document(specification.raw)
        self.add_paths()

    def make_operation(self, operation: Any) -> ASGIApp:
        """Called by Connexion for each operation. Many are never asked for here, and compiling takes its time."""
        made: list[ASGIApp] = []

        async def judged(scope: Scope, receive: Receive, send: Send) -> None:
            if not made:
                made.append(self._judged(operation))
            await made[0](scope, receive, send)

        return judged

    def _judged(self, operation: Any) -> ASGIApp:
        try:
            described = self._described[operation.operation_id]
            responses = Responses(described, self._document, ADDED_HEADERS, enforce=self._enforce)
        except Uncompilable as reason:
            logger.info("The answers of %s are judged by Connexion: %s", operation.operation_id, reason)
            return self._judged_by_connexion(operation)
        return _Operation(self.next_app, responses)

    def _judged_by_connexion(self, operation: Any) -> ASGIApp:
        """Statuses, bodies, and which headers are there; neither their values nor problems."""
        judged = ResponseValidationOperation(self.next_app, operation=operation, validator_map=self._validator_map)
        return judged if self._enforce else self.next_app  # type: ignore[no-any-return]

    @cached_property
    def _described(self) -> dict[str, Operation]:
        return {operation.operation_id: operation for operation in Routes(self._document)}


class StrictAnswers(RoutedMiddleware[Any]):  # type: ignore[misc]  # Connexion has no types
    """In the place of Connexion's response validation: the whole answer is judged, and so are problems.

    Without `validate_responses`, what is not in the contract is logged and sent.
    """

    api_cls = _API
