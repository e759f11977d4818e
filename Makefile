# `make` alone lists what there is. PYTHON=... chooses the interpreter of the first set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help env train-env demo quickstart test lint format docs clean

PYTHON ?=
ARGS ?=
JOBS ?= auto
BIN := .venv/bin
LIGHT := .venv.light/bin
# OpenMP threads that wait spin this often before they sleep: long enough for a gap between two
# layers, short enough to share the cores with other programs.
SPIN := 20000

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

env: ## Set up .venv (first time 10-15 minutes; then at once)
	@PYTHON="$(PYTHON)" tools/setup_env.sh

train-env: ## Set up .venv.train, which trains trackers: no compiler, some minutes the first time
	@PYTHON="$(PYTHON)" tools/setup_env.sh train

demo: ## Track with a trained tracker, without PyTorch: under a minute, set-up included
	@PYTHON="$(PYTHON)" tools/setup_env.sh light
	@$(LIGHT)/python demo/packaged_tracker.py $(ARGS)

quickstart: env ## Train on synthetic video for a few minutes, track, and write the images
	@GOMP_SPINCOUNT=$(SPIN) $(BIN)/python demo/quickstart.py $(ARGS)

test: env ## Run the tests (ARGS="-k polar" picks some), a process for each core
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

lint: env ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: env ## Put style and formatting right
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: env ## Build the documentation and the API reference as a site in site/
	@$(BIN)/python -m pip install -q -r requirements/docs.txt -c requirements/lock.txt
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

clean: ## Remove caches and build products (keeps .venv and work_dirs)
	rm -rf build dist site .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
