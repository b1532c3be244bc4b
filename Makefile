# Everything a person or a CI needs, from a machine with only git, make and Python 3.11.
# Variables: PYTHON (the interpreter for .venv), PYTEST_ARGS (for `make test`), SEED and MINUTES (for `make soak`).
# PIP_* and pip's own configuration are respected.

.DEFAULT_GOAL := help
.PHONY: help demo test test-loaders soak lint setup clean

BIN := .venv/bin
PYTEST_ARGS ?=
SEED ?= $(shell date +%s)
MINUTES ?= 10

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/chiops.stamp  ## Bring up a lab on this machine, benchmark it, show the report, take it down
	@scripts/demo.sh

test: .venv/dev.stamp  ## Run all tests: unit, contract, playbooks, end to end
	@$(BIN)/pytest -n auto --maxprocesses=4 $(PYTEST_ARGS)

test-loaders: .venv/dev.stamp  ## Run the tests that need torch and the loaders' libraries, from the cache (gigabytes, once)
	@PYTHONPATH=$$($(BIN)/python -m benchmarks.loading.machine) $(BIN)/pytest -n auto --maxprocesses=2 \
		tests/unit/loaders/test_pipelines.py tests/unit/loaders/test_failing_pipelines.py \
		tests/unit/etl/test_formats.py $(PYTEST_ARGS)

soak: .venv/dev.stamp  ## Kill, fail and cut with fresh seeds for MINUTES, and print the figures
	@$(BIN)/python -m tests.faults.soak $(SEED) $(MINUTES)

lint: .venv/dev.stamp  ## Check style, types and playbooks
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint --offline -q playbooks

setup: .venv/dev.stamp  ## Install what is missing and make .venv
	@:

clean:  ## Drop .venv and the tools' caches; labs, state and results stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/chiops.stamp: pyproject.toml scripts/setup.sh
	@scripts/setup.sh
	@touch $@

.venv/dev.stamp: pyproject.toml scripts/setup.sh
	@scripts/setup.sh dev
	@touch .venv/chiops.stamp $@
