"""The part of nginx's configuration that follows from the contract: `python -m app.edge FOLDER`.

The image's build writes it to nginx/contract/. See http.d/problem-details.conf, server.d/locations.conf and
cache/reads.conf there.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app import SPECIFICATION
from contract import load
from contract.spec.operations import Route, routes

_HEAD = "# Written by `python -m app.edge` from openapi/items.yaml.\n"
_CACHED = "x-read-cache"
_PARAMETER = re.compile(r"\{[^}]*\}")


def files(specification: Mapping[str, Any]) -> dict[str, str]:
    """The configuration files of this contract, by name."""
    found = routes(specification)
    reads = [route for route in found if "GET" in route.operations and route.operations["GET"].definition.get(_CACHED)]
    return {
        "methods.conf": _HEAD + "".join(_methods(route) for route in found),
        "etags.conf": _HEAD + "".join(_location(route.path) for route in found if _has_etag(route)),
        "reads.conf": _HEAD + "".join(_read(route.path) for route in reads),
    }


def write(folder: Path) -> None:
    """Write the files of the service's contract into `folder`."""
    specification = load(SPECIFICATION)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(specification).items():
        (folder / name).write_text(text, encoding="utf-8")


def _methods(route: Route) -> str:
    """An entry of a map from the URL to the value of `Allow`. nginx takes the first expression that matches."""
    return f'"{_url(route.path)}"  "{", ".join(route.methods)}";\n'


def _read(path: str) -> str:
    """An entry of a map from the URL to whether its responses may come from a cache."""
    return f'"{_url(path)}"  1;\n'


def _url(path: str) -> str:
    """What a map compares with the URL as the client sent it."""
    literals = (quote(literal, safe="/:@!$&'()*+,;=~") for literal in _PARAMETER.split(path))
    return f"~^{_expression(literals, '[^/?]+')}(\\?|$)"


def _location(path: str) -> str:
    """A location, which matches the decoded URL, whose responses are never compressed."""
    return f'location ~ "^{_expression(_PARAMETER.split(path), "[^/]+")}$" {{\n    gzip off;\n    proxy_pass http://web;\n}}\n'


def _expression(literals: Iterable[str], parameter: str) -> str:
    return parameter.join(re.escape(literal).replace('"', r"\x22") for literal in literals)


def _has_etag(route: Route) -> bool:
    """Whether a GET of this path has a response with an `ETag`."""
    get = route.operations.get("GET")
    responses = get.definition["responses"].values() if get is not None else ()
    return any(name.lower() == "etag" for response in responses for name in response["headers"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m app.edge", description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
