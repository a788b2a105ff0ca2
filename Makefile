# Everything sets itself up: an environment in .venv/, what the lock files pin, nothing outside this folder.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 5000
BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links pyproject.toml
ASSETS := $(shell find static -type f ! -name '*.br' ! -name '*.gz')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-long check format bench lock clean .venv

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/ready .venv/static ## Serve the portal, with demo data on the first start (HOST=, PORT=)
	@PORTAL_BASE_URL="$${PORTAL_BASE_URL:-http://127.0.0.1:$(PORT)}" $(BIN)/portal demo load --on-first-start
	@exec $(BIN)/portal serve --host $(HOST) --port $(PORT)

test: .venv/ready-dev .venv/static ## Run the tests (ARGS= goes to pytest)
	@$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadgroup $(ARGS)

test-long: .venv/ready-dev .venv/static ## Run all tests with the full counts: races, kills, slow servers
	@$(BIN)/python -m pytest -m "" $(ARGS)

check: .venv/ready-dev ## Check format, lint, types, import contracts and templates
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@report=$$($(BIN)/lint-imports --no-logo) || { echo "$$report"; exit 1; }
	@$(BIN)/djlint --lint --quiet templates

format: .venv/ready-dev ## Format the code and mend what can be mended
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: .venv/ready-dev ## Run the benchmarks and print a table of ratios
	@$(BIN)/python -m tests.benchmarks

lock: .venv/ready-dev ## Pin the newest allowed versions anew
	@command -v uv >/dev/null || $(PIP) install uv
	@PATH="$(CURDIR)/$(BIN):$$PATH" uv $(LOCK) --upgrade -o requirements.lock
	@PATH="$(CURDIR)/$(BIN):$$PATH" uv $(LOCK) --upgrade --extra dev -o requirements-dev.lock

clean: ## Remove the environment and everything built; instance/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info
	@find static -type f \( -name '*.br' -o -name '*.gz' \) -delete
	@find portal tests -type d -name __pycache__ -prune -exec rm -rf {} +

.venv: .venv/ready ## Make the environment only
	@:

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose one with PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "The module venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/ready: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing what the portal needs …" >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# What the tests need holds all that the portal needs, so this one makes the other good, too.
.venv/ready-dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	@echo "Installing what the tests need …" >&2
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch .venv/ready $@

# Compressed once; a stale copy would be served in place of a changed file.
.venv/static: $(ASSETS) | .venv/ready
	@find static -type f \( -name '*.br' -o -name '*.gz' \) -delete
	@$(BIN)/python -m whitenoise.compress --quiet static
	@touch $@
