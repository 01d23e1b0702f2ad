# Every command, for people and for CI alike. `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help
help:  ## List all commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.venv/runtime: requirements/run.txt requirements/fast.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fast.txt >/dev/null 2>&1 \
	  || echo "No C compiler: Gunicorn parses HTTP in Python, which is slower and otherwise the same."
	touch $@

.venv/dev: requirements/dev.txt .venv/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

.venv/mutate: requirements/mutate.txt .venv/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutate.txt
	touch $@

.PHONY: run
run: .venv/runtime  ## Set everything up and serve on http://127.0.0.1:8000 with SQLite
	exec $(BIN)/gunicorn app:app

.PHONY: dev
dev: .venv/runtime  ## Serve with one worker that starts anew when the code or the spec changes
	RELOAD=on exec $(BIN)/gunicorn app:app

.PHONY: test
test: .venv/dev  ## Set everything up and pass the tests (in process; minutes)
	$(BIN)/python -m pytest --ignore=tests/e2e --numprocesses=auto $(ARGS)

# Node.js comes from PyPI as well, so that everyone has the same.
TOOLS := .venv-tools/bin
.venv-tools/ready: requirements/tools.txt package.json package-lock.json .npmrc
	test -x $(TOOLS)/python || $(PYTHON) -m venv .venv-tools
	$(TOOLS)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt
	PATH="$$PWD/$(TOOLS):$$PATH" npm ci --silent --ignore-scripts
	touch $@

.PHONY: sdk
sdk: sdk/ready  ## Generate clients in Python and TypeScript below sdk/ (docs/sdk.md says how to use them)

sdk/ready: openapi/items.yaml sdk/python.yaml .venv-tools/ready
	rm -rf sdk/python sdk/typescript
	PATH="$$PWD/$(TOOLS):$$PATH" openapi-python-client generate --path openapi/items.yaml --config sdk/python.yaml \
	  --output-path sdk/python --fail-on-warning
	PATH="$$PWD/$(TOOLS):$$PATH" npx --no-install openapi-typescript openapi/items.yaml --output sdk/typescript/items.ts \
	  --root-types --root-types-no-schema-prefix
	touch $@

.PHONY: mutate
mutate: .venv/mutate  ## Mutation testing of contract/, or of one module: ARGS='contract.media_types.*'
	set -f; $(BIN)/python -m tools.mutation $(ARGS)

.PHONY: e2e
e2e: .venv/dev sdk/ready  ## Test as users meet it: Gunicorn, nginx, PostgreSQL, Chromium, Docker, clients (says what it skips)
	$(BIN)/python -m pytest tests/e2e $(ARGS)

# What is said on the command line alone, so that nothing in the environment can turn a reader into a writer.
MODE := read
CASES := 100
ROUNDS := 1
INSTANCE = $(or $(URL),$(error Say which instance, as in: make conformance URL=http://127.0.0.1:8000))
.PHONY: conformance
conformance: .venv/dev  ## Run property tests against the instance at URL=…; MODE=read (default) writes nothing
	@$(BIN)/python -m tools.conformance '$(INSTANCE)' --mode $(MODE) --cases $(CASES) --rounds $(ROUNDS) \
	  $(if $(SEED),--seed $(SEED)) $(if $(REPORTS),--reports '$(REPORTS)')

.PHONY: lint
lint: .venv/dev lint-contract  ## Check types, style and the spec
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: lint-bench
lint-bench: .venv/dev .venv-bench/ready  ## Check the types of the benchmarks' peers, against their libraries
	$(BIN)/mypy --python-executable $(BENCH)/python benchmarks/peers/*.py

.PHONY: lint-contract
lint-contract: .venv-tools/ready  ## Check the spec alone, with Spectral and Redocly
	PATH="$$PWD/$(TOOLS):$$PATH" node_modules/.bin/spectral lint --fail-severity=hint --quiet --ruleset openapi/spectral.yaml openapi/items.yaml
	PATH="$$PWD/$(TOOLS):$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
	  node_modules/.bin/redocly lint --config openapi/redocly.yaml openapi/items.yaml

BASE ?= HEAD~1
.PHONY: contract-diff
contract-diff: .venv/runtime  ## Say what changed in the spec since BASE (HEAD~1), and fail if it breaks clients
	$(BIN)/python -m tools.contract_diff '$(BASE)' openapi/items.yaml

.PHONY: resource
resource: .venv/dev  ## Add the resource NAME=tags, whose schema Tag (or SCHEMA=…) is in the spec
	@$(BIN)/python -m tools.scaffold '$(or $(NAME),$(error Say which resource, as in: make resource NAME=tags))' \
	  $(if $(SCHEMA),--schema '$(SCHEMA)')

.PHONY: format
format: .venv/dev  ## Put the code into the project's format
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

# Keeps the versions that are locked already, as far as pyproject.toml allows them.
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-header --no-annotate --quiet $(ARGS)

.PHONY: lock
lock: .venv/dev  ## Lock the dependencies of pyproject.toml in requirements/ (ARGS=--upgrade takes newer versions)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) --constraint requirements/run.txt pyproject.toml --group dev --output-file requirements/dev.txt
	$(COMPILE) --constraint requirements/dev.txt pyproject.toml --group dev --group mutate --output-file requirements/mutate.txt
	$(COMPILE) --constraint requirements/run.txt pyproject.toml --group bench --output-file requirements/bench.txt
	$(COMPILE) --group fast --no-deps --output-file requirements/fast.txt
	$(COMPILE) --group tools --output-file requirements/tools.txt

BENCH := .venv-bench/bin
# Python 3.13, as in the image, where there is one that runs.
BENCH_PYTHON ?= $(firstword $(shell for python in python3.13 ~/.pyenv/versions/3.13.*/bin/python3.13; do \
  "$$python" -c '' 2>/dev/null && echo "$$python"; done) $(PYTHON))

.venv-bench/ready: requirements/bench.txt
	test -x $(BENCH)/python || $(BENCH_PYTHON) -m venv .venv-bench
	$(BENCH)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	touch $@

.PHONY: bench
bench: .venv-bench/ready  ## Measure the service beside its peers (needs wrk; about 15 minutes)
	$(BENCH)/python -m benchmarks $(ARGS)

.PHONY: bench-scale
bench-scale: .venv-bench/ready  ## Measure how cost grows, up to 10 million rows
	$(BENCH)/python -m benchmarks.scale $(ARGS)

.PHONY: bench-memory
bench-memory: .venv-bench/ready  ## Watch the workers' memory under a long load
	$(BENCH)/python -m benchmarks.memory $(ARGS)

.PHONY: bench-edge
bench-edge: .venv-bench/ready  ## Measure what nginx adds
	$(BENCH)/python -m benchmarks.edge $(ARGS)

.PHONY: bench-contract
bench-contract: .venv-bench/ready  ## Measure what a contract's size costs at the start, up to 1,000 operations
	$(BENCH)/python -m benchmarks.contract $(ARGS)

.PHONY: profile
profile: .venv-bench/ready  ## Show where a request's time goes
	$(BENCH)/python -m benchmarks.profile $(ARGS)

.PHONY: clean
clean:  ## Remove what was set up; the database in var/ stays
	rm -rf mutants .venv .venv-bench .venv-tools node_modules sdk/ready sdk/python sdk/typescript .mypy_cache .pytest_cache .ruff_cache .hypothesis
