"""The statements of every resource: found in the modules of db/, so that a new resource is tested like the others."""

import importlib
import pkgutil

import db
from db.resources import Statements

STATEMENTS = {
    statements.table.name: statements
    for module in pkgutil.iter_modules(db.__path__)
    for statements in vars(importlib.import_module(f"db.{module.name}")).values()
    if isinstance(statements, Statements)
}
