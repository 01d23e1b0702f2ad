"""Everything that is not an operation of the contract, as Flask routes: the contract itself, and Swagger UI on it."""

import json
from collections.abc import Mapping
from typing import Any

import flask
from flask import Flask, Response
from swagger_ui_bundle import swagger_ui_path

from app import prefix
from app.settings import ROOT
from app.specfile import SpecFile
from contract.responses import json_body

UI = ROOT / "app" / "ui"
UI_FILES = {
    "index.html": UI,
    "initialize.js": UI,
    "items.css": UI,
    "favicon.svg": UI,
    "swagger-ui.css": swagger_ui_path,
    "swagger-ui-bundle.js": swagger_ui_path,
}
# Scripts and styles come from files of this service alone. Swagger UI sets its style attributes property by property,
# which needs no 'unsafe-inline'. Trusted Types: no text is made into HTML, but where DOMPurify and initialize.js parse.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify items default"
)


def add_pages(flask_app: Flask, source: bytes, specification: Mapping[str, Any]) -> None:
    """Add the pages. `source` is the contract's file as it is; `specification` is its content, references intact."""
    as_json = json.dumps(specification, indent=2, ensure_ascii=False).encode() + b"\n"
    files = {
        "openapi.yaml": SpecFile(source, "application/yaml"),
        "openapi.json": SpecFile(as_json, "application/json"),
    }
    about = {"name": specification["info"]["title"], "version": specification["info"]["version"]}
    addresses = {"documentation": "/ui/", "openapi": "/openapi.json"}
    addresses |= {path.strip("/"): path for path in specification["paths"] if "{" not in path}

    @flask_app.get("/")
    def root() -> Any:
        accept = flask.request.accept_mimetypes
        if accept.quality("text/html") > accept.quality("application/json"):
            answer = _redirect("/ui/", 302)
        else:
            mount = flask.request.root_path
            links = {name: mount + path for name, path in addresses.items()}
            answer = Response(json_body.encode({**about, **links}), mimetype="application/json")
        answer.vary.update(["Accept", prefix.HEADER])
        return answer

    @flask_app.get("/ui")  # Flask's own redirect would be absolute, with the Host that the client names
    def ui() -> Any:
        return _redirect("/ui/", 308)

    @flask_app.get("/<any('openapi.yaml', 'openapi.json'):name>")
    def openapi(name: str) -> Any:
        file = files[name]
        response = Response(file.below(flask.request.root_path), mimetype=file.media_type)
        response.headers["Cache-Control"] = "no-cache"
        response.vary.add(prefix.HEADER)
        response.add_etag()
        return response.make_conditional(flask.request)

    _add_swagger_ui(flask_app)


def _add_swagger_ui(flask_app: Flask) -> None:
    """Add the files of Swagger UI."""

    @flask_app.get("/ui/", defaults={"name": "index.html"})
    @flask_app.get("/ui/<name>")
    def swagger_ui(name: str) -> Response:
        if name not in UI_FILES:
            flask.abort(404)
        seconds = 0 if name == "index.html" else 3600
        response = flask.send_from_directory(UI_FILES[name], name)  # given a max_age, Flask would add Expires
        response.headers["Cache-Control"] = f"max-age={seconds}" if seconds else "no-cache"
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response


def _redirect(path: str, code: int) -> Any:
    """A redirect within the service, wherever it is mounted; no host is named."""
    answer = flask.redirect(flask.request.root_path + path, code)
    answer.vary.add(prefix.HEADER)
    return answer
