"""Flask with Flask-SQLAlchemy's ORM: the tutorial that this project began as.

Nothing validates; the few manual checks are those of a tutorial. The SQLite settings are the service's.
"""

import os
from datetime import UTC, datetime
from sqlite3 import Connection
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> str:
    """Return the time in RFC 3339, in UTC, to the microsecond: 27 characters."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Base(DeclarativeBase):
    """The base of all models."""


# The driver begins a transaction at the first write, with BEGIN IMMEDIATE.
CONNECT_ARGS = {"isolation_level": "IMMEDIATE", "timeout": 5}
db = SQLAlchemy(model_class=Base, engine_options={"connect_args": CONNECT_ARGS})


class Item(Base):
    """A row of the table `items`."""

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    name: Mapped[str] = mapped_column(String(80))
    description: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[str] = mapped_column(String(27), default=now)
    updated_at: Mapped[str] = mapped_column(String(27), default=now)

    def to_dict(self) -> dict[str, Any]:
        """Return the properties of a response."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db.init_app(app)


def prepare(connection: Connection, _record: object) -> None:
    """Set up a new connection with the service's settings of SQLite."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {os.environ.get('SYNCHRONOUS', 'FULL')}")
    connection.execute("PRAGMA foreign_keys = ON")


with app.app_context():
    event.listen(db.engine, "connect", prepare)


def check(data: dict[str, Any]) -> None:
    """Raise 400 if a length is invalid."""
    if "name" in data and not 1 <= len(data["name"]) <= 80:
        abort(400, "name must have 1 to 80 characters")
    if len(data.get("description") or "") > 200:
        abort(400, "description must have at most 200 characters")


@app.get("/items")
def list_items() -> Response:
    limit = request.args.get("limit", 50, type=int)
    query = db.select(Item).order_by(Item.id).limit(limit)
    return jsonify([item.to_dict() for item in db.session.scalars(query)])


@app.get("/items/<int:item_id>")
def get_item(item_id: int) -> Response:
    return jsonify(db.get_or_404(Item, item_id).to_dict())


@app.post("/items")
def create_item() -> tuple[Response, int]:
    data = request.get_json()
    if "name" not in data:
        abort(400, "name is required")
    check(data)
    item = Item(name=data["name"], description=data.get("description"))
    db.session.add(item)
    db.session.commit()
    return jsonify(item.to_dict()), 201


@app.patch("/items/<int:item_id>")
def update_item(item_id: int) -> Response:
    data = request.get_json()
    check(data)
    item = db.get_or_404(Item, item_id)
    item.name = data.get("name", item.name)
    item.description = data.get("description", item.description)
    item.version += 1
    item.updated_at = now()
    db.session.commit()
    return jsonify(item.to_dict())
