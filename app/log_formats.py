"""The formats of the log: text for people, JSON for programs. No text in a line can forge or break another line."""

import json
import logging
import os
import re
import time
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote

from app.log_writer import MAX_LINE
from contract.serving.request_ids import request_id
from contract.serving.traces import trace_id

Served = tuple[float, str, str, str, str, int, int, float, str, str]
"""A request: time of its end, id, client, method, path, status, bytes of the body, duration in seconds, operationId or
`-`, and trace id or nothing."""
MAX_PATH = 1500
"""Characters of a path with its query; the rest is cut off, so that a line is always shorter than `MAX_LINE`."""
_SAFE = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"
_is_safe = re.compile(f"[{re.escape(_SAFE)}0-9A-Za-z]*").fullmatch
_MILLISECONDS = [f".{number:03d}" for number in range(1000)]
ACCESS = "access"
EXTRA = ("operation",)
"""What some events know beside their message, as `extra` of `logging`: a property of the line."""
STANDARD_ERROR = 2

# https://en.wikipedia.org/wiki/ANSI_escape_code#Select_Graphic_Rendition_parameters
_DIM, _RED, _GREEN, _YELLOW, _CYAN = "2", "31", "32", "33", "36"
_LEVEL_COLOURS = {"WARNING": _YELLOW, "ERROR": _RED, "CRITICAL": _RED}
_STATUS_COLOURS = {2: _GREEN, 3: _CYAN, 4: _YELLOW, 5: _RED}


def _paint(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _plain(text: str, _colour: str) -> str:
    return text


def is_colourful() -> bool:
    """Return whether standard error is a terminal whose user has nothing against colours (https://no-color.org)."""
    return os.isatty(STANDARD_ERROR) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _printable(text: str) -> str:
    """Escape what could forge a line or control a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _without_middle(text: str, size: int) -> str:
    """Shorten a text. The end matters more: there a traceback has its exception."""
    if len(text) <= size:
        return text
    start, end = size // 4, size - size // 4
    return f"{text[:start]} [{len(text) - size} characters left out] {text[-end:]}"


def _within_a_write(line: str) -> str:
    """Shorten a line so that it has fewer than `MAX_LINE` bytes, with what is before it."""
    return _without_middle(line, 3500 if line.isascii() else 800)


class TextFormatter(logging.Formatter):
    """Lines for people: time, level, name, request id and message. The lines of a traceback are indented."""

    def __init__(self, *, colourful: bool) -> None:
        super().__init__()
        self._clock = Clock("%Y-%m-%d %H:%M:%S", time.localtime)
        self._colour = _paint if colourful else _plain
        self._about_requests = self._about("INFO", ACCESS)

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of an event, without the last newline."""
        more = self.formatException(record.exc_info) if record.exc_info else ""
        lines = [record.getMessage(), *(f"  {line}" for line in more.splitlines())]
        lines = [_within_a_write(_printable(line)) for line in lines]
        about = self._about(record.levelname, record.name)
        return self._begin(record.created, about, request_id.get()) + "\n".join(lines)

    def _about(self, level: str, name: str) -> str:
        return f"{self._colour(level, _LEVEL_COLOURS.get(level, _GREEN))} {self._colour(name, _CYAN)}"

    def _begin(self, at: float, about: str, id_: str) -> str:
        """Return the part of a line before its message."""
        id_ = "" if id_ == "-" else self._colour(f"[{id_}]", _DIM) + " "
        return f"{self._colour(self._clock(at), _DIM)} {about} {id_}"

    def access(self, request: Served) -> str:
        """Return the line of a request."""
        at, id_, client, method, path, status, size, seconds, _operation, _trace = request
        number = self._colour(str(status), _STATUS_COLOURS.get(status // 100, _DIM))
        who = f"{_safe_often(client) or '-'} {_safe_often(method) or '-'} {safe(path) or '-'}"
        return f"{self._begin(at, self._about_requests, id_)}{who} {number} {size} bytes {seconds * 1000:.1f} ms\n"


class JsonFormatter(logging.Formatter):
    """Lines for programs: one JSON object each, in ASCII."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = Clock("%Y-%m-%dT%H:%M:%S", time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an event, shortened to `MAX_LINE` bytes with its newline."""
        texts = {"message": record.getMessage()}
        if record.exc_info:
            texts["exception"] = self.formatException(record.exc_info)
        id_ = request_id.get()
        event = {
            "time": f"{self._clock(record.created)}+00:00",
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": None if id_ == "-" else id_,
            **({"trace_id": trace} if (trace := trace_id.get()) else {}),
            **{name: getattr(record, name) for name in EXTRA if hasattr(record, name)},
            **texts,
        }
        size = MAX_LINE
        while len(line := json.dumps(event, separators=(",", ":"))) >= MAX_LINE:
            size -= size // 8
            event |= {key: _without_middle(text, size) for key, text in texts.items()}
        return line

    def access(self, request: Served) -> str:
        """Return the line of a request, whose texts are valid in JSON as they are."""
        at, id_, client, method, path, status, size, seconds, _operation, trace = request
        traced = f',"trace_id":"{trace}"' if trace else ""
        return (
            f'{{"time":"{self._clock(at)}+00:00","level":"info","logger":"{ACCESS}","request_id":"{id_}",'
            f'"client":"{_safe_often(client)}","method":"{_safe_often(method)}","path":"{safe(path)}","status":{status},"bytes":{size},'
            f'"duration":{seconds:.6f}{traced}}}\n'
        )


class Clock:
    """Formats times up to the milliseconds, and each second only once."""

    def __init__(self, pattern: str, split: Callable[[float], time.struct_time]) -> None:
        self._pattern = pattern
        self._split = split
        self._last = (-1, "")

    def __call__(self, at: float) -> str:
        """Return the time."""
        second = int(at)
        known, text = self._last  # in one step, because there may be other threads
        if second != known:
            text = time.strftime(self._pattern, self._split(second))
            self._last = (second, text)
        return text + _MILLISECONDS[int((at - second) * 1000)]


def safe(text: str) -> str:
    """Return text of a client (one character for each byte) that cannot forge or break a line.

    All but printable ASCII without quotes and backslashes is percent-encoded, as it should have been in a URL.
    """
    if len(text) <= MAX_PATH and _is_safe(text):
        return text
    encoded = quote(text.encode("latin-1", "replace"), safe=_SAFE)
    return encoded if len(encoded) <= MAX_PATH else f"{encoded[:MAX_PATH]}..."


_safe_often = lru_cache(maxsize=1000)(safe)
"""The same for the few texts that occur in many lines."""
