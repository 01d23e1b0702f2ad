# All commands, for people and CI. `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help
help:  ## List all commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

INSTALL := $(PYTHON) tools/install.py
# "again" if an environment was moved with its checkout, or its Python is gone: then it is made again.
again = $(shell [ ! -e $(1) ] || { [ "$$(cat $(1)/made-in)" = "$$PWD/$(1)" ] && $(1)/bin/python -c ''; } 2>/dev/null || echo again)

.PHONY: again
.venv/runtime: requirements/run.txt requirements/fast.txt $(call again,.venv)
	@$(INSTALL) .venv requirements/run.txt --optional requirements/fast.txt
	@touch $@

.venv/dev: requirements/dev.txt .venv/runtime
	@$(INSTALL) .venv requirements/dev.txt
	@touch $@

.venv/mutate: requirements/mutate.txt .venv/dev
	@$(INSTALL) .venv requirements/mutate.txt
	@touch $@

.PHONY: run
run: .venv/runtime  ## Install the service and serve on http://127.0.0.1:8000 with SQLite
	@WELCOME=on exec $(BIN)/python -m app

.PHONY: dev
dev: .venv/runtime  ## Serve while you work: starts again when the code or the contract is saved
	@exec $(BIN)/python -m tools.dev

.PHONY: test
test: .venv/dev  ## Install the test tools and run the tests (in process; takes minutes)
	$(BIN)/python -m pytest --ignore=tests/e2e --numprocesses=auto $(ARGS)

.PHONY: test-pythons
test-pythons: .venv/runtime  ## Run the tests with each supported Python that is installed; list what was skipped
	@$(BIN)/python -m tools.pythons $(ARGS)

# Node.js also comes from PyPI, so everyone uses the same version.
TOOLS := .venv-tools/bin
.venv-tools/ready: requirements/tools.txt package.json package-lock.json .npmrc $(call again,.venv-tools)
	@$(INSTALL) .venv-tools requirements/tools.txt
	PATH="$$PWD/$(TOOLS):$$PATH" npm ci --silent --ignore-scripts
	touch $@

.PHONY: sdk
sdk: sdk/ready  ## Generate Python and TypeScript clients in sdk/ (see docs/sdk.md)

HELPERS := $(wildcard sdk/helpers/*/*) tools/sdk.py
# The contract of a service with this ACCESS: with `ACCESS=secured make sdk`, clients know keys and tokens.
.PHONY: contract-of-service
sdk/contract.yaml: contract-of-service | .venv/runtime
	@$(BIN)/python -m tools.specification $@ '$(or $(ACCESS),open)'

sdk/ready: sdk/contract.yaml sdk/python.yaml $(HELPERS) .venv-tools/ready | .venv/runtime
	rm -rf sdk/python sdk/typescript
	PATH="$$PWD/$(TOOLS):$$PATH" openapi-python-client generate --path sdk/contract.yaml --config sdk/python.yaml \
	  --output-path sdk/python --fail-on-warning
	PATH="$$PWD/$(TOOLS):$$PATH" npx --no-install openapi-typescript sdk/contract.yaml --output sdk/typescript/items.ts \
	  --root-types --root-types-no-schema-prefix
	@$(BIN)/python -m tools.sdk sdk/contract.yaml sdk/python/items_client sdk/typescript
	touch $@

COLLECTION := sdk/postman/items.json
CONVERSION := folderStrategy=Tags,parametersResolution=Example,enableOptionalParameters=false
.PHONY: postman
postman: .venv/runtime .venv-tools/ready  ## Make a collection for Postman and newman in sdk/postman/; URL=http://127.0.0.1:8000
	@mkdir -p sdk/postman
	@PATH="$$PWD/$(TOOLS):$$PATH" node_modules/.bin/openapi2postmanv2 --spec openapi/items.yaml --output $(COLLECTION) \
	  --options $(CONVERSION) >/dev/null
	@$(BIN)/python -m tools.postman $(COLLECTION) '$(or $(URL),http://127.0.0.1:8000)'

.PHONY: mutate
mutate: .venv/mutate  ## Mutation testing of contract/, or of one module: ARGS='contract.media_types.*'
	set -f; $(BIN)/python -m tools.mutation $(ARGS)

.PHONY: e2e
e2e: .venv/dev sdk/ready  ## Test with Gunicorn, nginx, PostgreSQL, Chromium, Docker and clients (lists what it skips)
	$(BIN)/python -m pytest tests/e2e --numprocesses=3 --dist=loadfile --no-loadscope-reorder $(ARGS)

# Not `SECONDS ?=`: bash sets a variable of this name.
.PHONY: soak
soak: .venv/dev  ## Use the service for an hour, or SECONDS=600, and disturb it; fail if anything is lost or memory grows
	@SOAK_SECONDS=$(if $(filter command environment,$(firstword $(origin SECONDS))),$(SECONDS),3600) \
	  $(BIN)/python -m pytest -q --no-header tests/e2e/test_soak.py $(ARGS)

.PHONY: power-cuts
power-cuts: .venv/runtime  ## Rebuild the database as power cuts can leave it; fail if a write is lost (needs strace)
	@$(BIN)/python -m tools.powercut $(ARGS)

# Set only on the command line, so that no environment variable can enable writing.
MODE := read
CASES := 100
ROUNDS := 1
INSTANCE = $(or $(URL),$(error URL is required, for example: make conformance URL=http://127.0.0.1:8000))
.PHONY: conformance
conformance: .venv/dev  ## Run property tests against the instance at URL=…; MODE=read (default) changes no data
	@$(BIN)/python -m tools.conformance '$(INSTANCE)' --mode $(MODE) --cases $(CASES) --rounds $(ROUNDS) \
	  $(if $(SEED),--seed $(SEED)) $(if $(REPORTS),--reports '$(REPORTS)')

.PHONY: lint
lint: .venv/dev lint-contract lint-image  ## Check types, style, the contract and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

.PHONY: lint-bench
lint-bench: .venv/dev .venv-bench/ready  ## Check the types of the benchmarks' peers, against their libraries
	$(BIN)/mypy --python-executable $(BENCH)/python benchmarks/peers/*.py

.PHONY: lint-contract
lint-contract: .venv-tools/ready | .venv/runtime  ## Check only the contract, open and secured, with Spectral and Redocly; both always run
	@$(BIN)/python -m tools.specification sdk/secured.yaml secured
	@export PATH="$$PWD/$(TOOLS):$$PATH" REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true; status=0; \
	lint="node_modules/.bin/spectral lint --fail-severity=hint --quiet --ruleset"; \
	$$lint openapi/spectral.yaml openapi/items.yaml || status=1; \
	$$lint openapi/spectral-secured.yaml sdk/secured.yaml || status=1; \
	node_modules/.bin/redocly lint --config openapi/redocly.yaml openapi/items.yaml sdk/secured.yaml || status=1; \
	exit $$status

# Not checked: DL3008, because Debian deletes a package's version when its security update is there; and DL3059, because
# the layers of the stage `build` are in no image.
.PHONY: lint-image
lint-image: .venv-tools/ready  ## Check only the Dockerfile, with hadolint
	@$(TOOLS)/hadolint --ignore DL3008 --ignore DL3059 Dockerfile

BASE ?= HEAD~1
.PHONY: contract-diff
contract-diff: .venv/runtime  ## List the changes of the contract since BASE (HEAD~1); fail if they break clients
	$(BIN)/python -m tools.contract_diff '$(BASE)' openapi/items.yaml

.PHONY: resource
resource: .venv/dev  ## Add the resource NAME=tags; its schema Tag (or SCHEMA=…) is in the contract
	@$(BIN)/python -m tools.scaffold '$(or $(NAME),$(error NAME is required, for example: make resource NAME=tags))' \
	  $(if $(SCHEMA),--schema '$(SCHEMA)')

.PHONY: migration
migration: .venv/dev  ## Write the migration NAME=add_colour, after a change of the tables in db/schema.py
	@$(BIN)/python -m tools.migration '$(or $(NAME),$(error NAME is required, for example: make migration NAME=add_colour))'

.PHONY: format
format: .venv/dev  ## Format the code
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

SUPPLY := .venv-supply/bin
.venv-supply/ready: requirements/supply.txt $(call again,.venv-supply)
	@$(INSTALL) .venv-supply requirements/supply.txt
	touch $@

# Keeps the versions that are locked already, as far as pyproject.toml allows them.
COMPILE = $(SUPPLY)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-header --no-annotate --quiet $(ARGS)

.PHONY: lock
lock: .venv-supply/ready  ## Lock the dependencies of pyproject.toml with hashes; ARGS=--upgrade takes newer versions
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) --constraint requirements/run.txt pyproject.toml --group dev --output-file requirements/dev.txt
	$(COMPILE) --constraint requirements/dev.txt pyproject.toml --group dev --group mutate --output-file requirements/mutate.txt
	$(COMPILE) --constraint requirements/run.txt pyproject.toml --group bench --output-file requirements/bench.txt
	$(COMPILE) --constraint requirements/dev.txt --group telemetry --output-file requirements/telemetry.txt
	$(COMPILE) --group fast --no-deps --output-file requirements/fast.txt
	$(COMPILE) --group tools --output-file requirements/tools.txt
	$(COMPILE) --group supply --output-file requirements/supply.txt
	$(MAKE) sbom

SBOM ?= requirements/sbom.json
.PHONY: sbom
sbom: .venv/runtime .venv-supply/ready  ## List the packages of the service with hashes and licences (CycloneDX) in requirements/sbom.json
	@$(SUPPLY)/python -m tools.supply.sbom $(BIN)/python '$(SBOM)'

.PHONY: audit
audit: .venv-tools/ready .venv-supply/ready  ## Look for known vulnerabilities in all locked packages; fail if the data cannot be reached
	@PATH="$$PWD/$(SUPPLY):$$PWD/$(TOOLS):$$PATH" $(SUPPLY)/python -m tools.supply.audit $(ARGS)

BENCH := .venv-bench/bin
# Python 3.13 if installed, because the image uses it.
BENCH_PYTHON ?= $(firstword $(shell for python in python3.13 ~/.pyenv/versions/3.13.*/bin/python3.13; do \
  "$$python" -c '' 2>/dev/null && echo "$$python"; done) $(PYTHON))

.venv-bench/ready: requirements/bench.txt $(call again,.venv-bench)
	@$(BENCH_PYTHON) tools/install.py .venv-bench requirements/bench.txt
	touch $@

.PHONY: bench
bench: .venv-bench/ready  ## Compare the service with its peers (needs wrk; takes about 20 minutes)
	$(BENCH)/python -m benchmarks $(ARGS)

# An option for a variable that the user has set: BASE and ROUNDS have defaults above, for other commands.
given = $(if $(filter command environment,$(firstword $(origin $(1)))),--$(2) $($(1)))
.PHONY: bench-check
bench-check: .venv-bench/ready  ## Compare the cost of requests with BASE, a commit or a peer (needs wrk; takes 2 minutes)
	@$(BENCH)/python -m benchmarks.check $(call given,BASE,base) $(call given,ROUNDS,rounds) \
	  $(call given,SCENARIOS,scenarios) $(ARGS)

.PHONY: bench-writes
bench-writes: .venv-bench/ready  ## Compare durable writes with BASE, a commit, and with peers (needs wrk; takes 6 minutes)
	@$(BENCH)/python -m benchmarks.writes $(call given,BASE,base) $(call given,ROUNDS,rounds) \
	  $(call given,ONLY,only) $(ARGS)

.PHONY: bench-scale
bench-scale: .venv-bench/ready  ## Measure how the cost grows with the table, up to 10 million rows
	$(BENCH)/python -m benchmarks.scale $(ARGS)

.PHONY: bench-memory
bench-memory: .venv-bench/ready  ## Measure the memory of the workers under a long load
	$(BENCH)/python -m benchmarks.memory $(ARGS)

.PHONY: bench-edge
bench-edge: .venv-bench/ready  ## Measure the cost of nginx
	$(BENCH)/python -m benchmarks.edge $(ARGS)

.PHONY: bench-contract
bench-contract: .venv-bench/ready  ## Measure the start with contracts of up to 1,000 operations
	$(BENCH)/python -m benchmarks.contract $(ARGS)

.PHONY: bench-costly
bench-costly: .venv-bench/ready  ## List the requests that cost most CPU time
	$(BENCH)/python -m benchmarks.costly $(ARGS)

.PHONY: bench-access
bench-access: .venv/dev  ## Measure what a known API key or token and the rate limit add to a request
	@$(BIN)/python -m benchmarks.access

.PHONY: profile
profile: .venv-bench/ready  ## Show the time of a request by folder, package and function
	$(BENCH)/python -m benchmarks.profile $(ARGS)

.PHONY: clean
clean:  ## Remove everything that was installed or generated; keep the database in var/
	rm -rf mutants .venv .venv-bench .venv-pythons .venv-supply .venv-tools node_modules sdk/ready sdk/python sdk/typescript sdk/postman .mypy_cache .pytest_cache .ruff_cache .hypothesis
