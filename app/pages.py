"""Flask routes for what is not an operation: the contract itself, the API catalog, Swagger UI, pages on problems."""

import json
from collections.abc import Mapping
from typing import Any

import flask
from flask import Flask, Response
from swagger_ui_bundle import swagger_ui_path

from app import catalog, documents, prefix, problem_pages
from app.settings import ROOT
from app.specfile import SpecFile
from contract.media_types import prefers
from contract.responses import json_body

UI = ROOT / "app" / "ui"
UI_FILES = {
    "index.html": UI,
    "initialize.js": UI,
    "contract.js": UI,
    "header.js": UI,
    "markdown.js": UI,
    "operations.js": UI,
    "theme.css": UI,
    "items.css": UI,
    "operations.css": UI,
    "responses.css": UI,
    "document.css": UI,
    "favicon.svg": UI,
    "swagger-ui.css": swagger_ui_path,
    "swagger-ui-bundle.js": swagger_ui_path,
}
MEDIA_TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}
_CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range")
_MAX_CONDITION = 500  # characters
UI_NAMES = (*UI_FILES, *documents.DOCUMENTS)
# Allow only scripts and styles from files of this service. Swagger UI sets each style property by script, so it needs
# no 'unsafe-inline'. Trusted Types: only DOMPurify and markdown.js may turn strings into HTML.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify items default"
)


def ui_content(name: str) -> bytes:
    """Return one of UI_NAMES."""
    return documents.page(name) if name in documents.DOCUMENTS else (UI_FILES[name] / name).read_bytes()


def add_pages(flask_app: Flask, source: bytes, specification: Mapping[str, Any]) -> None:
    """Add the pages. `source` is the contract file; `specification` is its parsed content, with references."""
    as_json = json.dumps(specification, indent=2, ensure_ascii=False).encode() + b"\n"
    files = {
        "openapi.yaml": SpecFile(source, "application/yaml"),
        "openapi.json": SpecFile(as_json, "application/json"),
    }
    about = {"name": specification["info"]["title"], "version": specification["info"]["version"]}
    paths = {"documentation": "/ui/", "openapi": "/openapi.json"}
    paths |= {path.strip("/"): path for path in specification["paths"] if "{" not in path}

    @flask_app.get("/")
    def root() -> Any:
        if prefers(flask.request.headers.get("Accept", ""), "text/html", "application/json"):
            response = _redirect("/ui/", 302)
        else:
            mount = flask.request.root_path
            links = {name: mount + path for name, path in paths.items()}
            response = Response(json_body.encode({**about, **links}), mimetype="application/json")
        response.vary.update(["Accept", prefix.HEADER])
        response.headers["Link"] = catalog.links_of_root(flask.request.root_path)
        return response

    @flask_app.get("/ui")  # Flask's own redirect would be absolute, with the Host header of the client
    def ui() -> Any:
        return _redirect("/ui/", 308)

    @flask_app.get("/<any('openapi.yaml', 'openapi.json'):name>")
    def openapi(name: str) -> Any:
        file = files[name]
        response = Response(file.with_prefix(flask.request.root_path), mimetype=file.media_type)
        response.headers["Cache-Control"] = "no-cache"
        response.vary.add(prefix.HEADER)
        response.add_etag()
        return _conditional(response)

    _add_catalog(flask_app, specification)
    _add_swagger_ui(flask_app)
    _add_problem_pages(flask_app, specification)


def _add_catalog(flask_app: Flask, specification: Mapping[str, Any]) -> None:
    """Add the API catalog."""

    @flask_app.get(catalog.PATH)
    def api_catalog() -> Any:
        mount = flask.request.root_path
        content = json_body.encode(catalog.linkset(mount, specification["paths"]))
        response = Response(content, content_type=catalog.MEDIA_TYPE)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Link"] = catalog.link(mount)
        response.vary.add(prefix.HEADER)
        response.add_etag()
        return _conditional(response)


def _add_swagger_ui(flask_app: Flask) -> None:
    """Add the files of Swagger UI."""

    @flask_app.get("/ui/", defaults={"name": "index.html"})
    @flask_app.get("/ui/<name>")
    def swagger_ui(name: str) -> Any:
        if name not in UI_NAMES:
            flask.abort(404)
        cache_control = "max-age=3600" if name.startswith("swagger-ui") else "no-cache"
        return _page(ui_content(name), MEDIA_TYPES[name.rpartition(".")[2]], cache_control)


def _add_problem_pages(flask_app: Flask, specification: Mapping[str, Any]) -> None:
    """Add a page for each type of problem."""
    pages = {name: problem_pages.page(name, specification) for name in problem_pages.names()}

    @flask_app.get(f"{problem_pages.PATH}<name>")
    def problem_page(name: str) -> Any:
        if name not in pages:
            flask.abort(404)
        return _page(pages[name], "text/html", "no-cache")


def _page(content: bytes, media_type: str, cache_control: str) -> Any:
    response = Response(content, mimetype=media_type)
    response.headers["Cache-Control"] = cache_control
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.add_etag()
    return _conditional(response)


def _conditional(response: Response) -> Any:
    """Return the response or 304 (RFC 9110 §13). Long conditions are ignored: Werkzeug takes milliseconds to read them.

    A client that has the current version sends its ETag, which is short.
    """
    given = flask.request.headers
    if any(len(given.get(name, "")) > _MAX_CONDITION for name in _CONDITIONS):
        return response
    return response.make_conditional(flask.request)


def _redirect(path: str, code: int) -> Any:
    """Redirect to a path of this service, below its mount point. The URL has no host, so clients cannot forge it."""
    response = flask.redirect(flask.request.root_path + path, code)
    response.vary.add(prefix.HEADER)
    return response
