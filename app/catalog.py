"""Where a program finds what describes this API: `/.well-known/api-catalog` (RFC 9727), and the `Link` header of `/`.

All URLs are relative references, which RFC 9264 §4.2 and RFC 8288 §3.1 allow: they are resolved against the URL of the
response, so they are right behind any proxy, and no response contains the `Host` that a client sends.
"""

from collections.abc import Mapping
from typing import Any

PATH = "/.well-known/api-catalog"
PROFILE = "https://www.rfc-editor.org/info/rfc9727"
MEDIA_TYPE = f'application/linkset+json; profile="{PROFILE}"'
_STATUS = "/readyz"
_DESCRIPTIONS = {"/openapi.json": "application/json", "/openapi.yaml": "application/yaml"}
_DOCUMENTS = {"/ui/": "text/html", "/ui/http.html": "text/html", "/ui/errors.html": "text/html"}


def linkset(mount: str, paths: Mapping[str, Any]) -> dict[str, Any]:
    """Return the catalog as a link set (RFC 9264 §4.2) of the service at the path `mount`, with the contract's paths.

    The relations are those of RFC 8631.
    """
    links = {"service-desc": _targets(mount, _DESCRIPTIONS), "service-doc": _targets(mount, _DOCUMENTS)}
    if _STATUS in paths:
        links["status"] = _targets(mount, {_STATUS: "application/json"})
    return {"linkset": [{"anchor": f"{mount}/", **links}]}


def link(mount: str, path: str = PATH, relation: str = "api-catalog") -> str:
    """Return a value of `Link` (RFC 8288)."""
    return f'<{mount}{path}>; rel="{relation}"'


def links_of_root(mount: str) -> str:
    """Return the `Link` header of `/`."""
    described = link(mount, "/openapi.json", "service-desc"), link(mount, "/ui/", "service-doc"), link(mount)
    return ", ".join(described)


def _targets(mount: str, paths: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"href": mount + path, "type": media_type} for path, media_type in paths.items()]
