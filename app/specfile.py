"""The spec as it is served: the file as it is, and below a prefix with `servers` that say so."""

import io
import re
from functools import cached_property
from typing import Any

import yaml

SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PATH = re.compile("/(?!/)")


class SpecFile:
    """The spec in one form, YAML or JSON (which is YAML, too), with its media type."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content = content
        self.media_type = media_type

    def below(self, prefix: str) -> bytes:
        """The file as it is to be read below a prefix: the URLs of servers that name no host begin with it."""
        if not prefix:
            return self.content
        text, written = self._text, io.StringIO()
        end = 0
        for url in self._urls:
            quote = url.style or ""
            written.write(text[end : url.start_mark.index] + quote + (prefix + url.value).rstrip("/") + quote)
            end = url.end_mark.index
        return (written.getvalue() + text[end:]).encode()

    @cached_property
    def _text(self) -> str:
        return self.content.decode()

    @cached_property
    def _urls(self) -> list[yaml.ScalarNode]:
        """Where the URLs of `servers` stand in the file."""
        document: Any = yaml.compose(self._text, Loader=SafeLoader)
        servers = (value for key, value in document.value if key.value == "servers")
        pairs = (pair for sequence in servers for server in sequence.value for pair in server.value)
        return [value for key, value in pairs if key.value == "url" and _PATH.match(value.value)]
