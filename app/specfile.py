"""The contract file as it is served: unchanged, or with a path prefix in `servers`."""

import io
import re
from functools import cached_property
from typing import Any

import yaml

SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PATH = re.compile("/(?!/)")


class SpecFile:
    """The contract as YAML or JSON (which is valid YAML), with its media type."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self.content = content
        self.media_type = media_type

    def with_prefix(self, prefix: str) -> bytes:
        """Return the file with `prefix` in front of each server URL that has no host."""
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
        """The nodes of the server URLs without a host, with their positions in the file."""
        document: Any = yaml.compose(self._text, Loader=SafeLoader)
        servers = (value for key, value in document.value if key.value == "servers")
        pairs = (pair for sequence in servers for server in sequence.value for pair in server.value)
        return [value for key, value in pairs if key.value == "url" and _PATH.match(value.value)]
