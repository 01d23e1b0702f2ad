"""The statements on items."""

from db.resources import Statements
from db.schema import items

ITEMS = Statements(items, sort=("id", "name", "created_at", "updated_at"), filters=("name",))
