# Every command, for people and for CI alike. `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help
help:  ## List all commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

.venv/dev: requirements-dev.txt .venv/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

.PHONY: run
run: .venv/runtime  ## Set everything up and serve on http://127.0.0.1:8000 with SQLite
	exec $(BIN)/gunicorn app:app

.PHONY: dev
dev: .venv/runtime  ## Serve with one worker that starts anew when the code or the spec changes
	RELOAD=on exec $(BIN)/gunicorn app:app

.PHONY: test
test: .venv/dev  ## Set everything up and pass the tests (in process; minutes)
	$(BIN)/python -m pytest --ignore=tests/e2e $(ARGS)

.PHONY: e2e
e2e: .venv/dev  ## Test as users meet it: Gunicorn, nginx, PostgreSQL, Chromium, Docker (says what it skips)
	$(BIN)/python -m pytest tests/e2e $(ARGS)

.PHONY: lint
lint: .venv/dev  ## Check types, style and the spec
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/openapi-spec-validator openapi/items.yaml

.PHONY: format
format: .venv/dev  ## Put the code into the project's format
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

.PHONY: lock
lock: .venv/dev  ## Resolve pyproject.toml anew into requirements*.txt, with hashes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet pyproject.toml --output-file requirements.txt
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet pyproject.toml --group dev --output-file requirements-dev.txt

.PHONY: clean
clean:  ## Remove what was set up; the database in var/ stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
