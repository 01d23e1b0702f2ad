"""Flask with SQLAlchemy Core. Nothing validates; the few checks are manual."""

from typing import Any

from flask import Flask, Response, abort, jsonify, request

from benchmarks.peers import core

app = Flask(__name__)


def check(data: dict[str, Any]) -> None:
    """Raise 400 if a length is invalid."""
    if "name" in data and not 1 <= len(data["name"]) <= 80:
        abort(400, "name must have 1 to 80 characters")
    if len(data.get("description") or "") > 200:
        abort(400, "description must have at most 200 characters")


@app.get("/items")
def list_items() -> Response:
    return jsonify(core.list_items(request.args.get("limit", 50, type=int)))


@app.get("/items/<int:item_id>")
def get_item(item_id: int) -> Response:
    return jsonify(core.get_item(item_id) or abort(404))


@app.post("/items")
def create_item() -> tuple[Response, int]:
    data = request.get_json()
    if "name" not in data:
        abort(400, "name is required")
    check(data)
    return jsonify(core.create_item(data["name"], data.get("description"))), 201


@app.patch("/items/<int:item_id>")
def update_item(item_id: int) -> Response:
    data = request.get_json()
    check(data)
    return jsonify(core.update_item(item_id, data) or abort(404))
