"""What all readers of request bodies have in common."""

from typing import Any

from contract.problems import Violation


class BodyReader:
    """Reads bodies of one media type.

    `default` is the value of a body that is not there; `is_text` says that the body has a charset, which must be UTF-8;
    `file_arguments` are the handler's arguments for files.
    """

    is_text = True
    file_arguments: frozenset[str] = frozenset()

    def __init__(self, default: Any) -> None:
        self.default = default

    def read(self, content: bytes, content_type: str, arguments: dict[str, Any], violations: list[Violation]) -> Any:
        """Return the value of a body that is not empty; add files to the arguments, what is wrong to the violations.

        Raise `Problem` (400) for a body that cannot be parsed.
        """
        raise NotImplementedError
