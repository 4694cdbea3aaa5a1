# Bare `make` prints this help. Every target sets itself up in .venv first.
PYTHON ?= python3
SOURCE ?= practice:
WEIGHTS ?=
DATASET ?= practice
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadscope
SLOW := $(BIN)/python -m pytest -n $(shell expr $(JOBS) + 1) --dist loadscope --no-loadscope-reorder

unexport PYTHONDONTWRITEBYTECODE # tests start hundreds of processes, each of which would compile the package again
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-all coverage check audit notebooks docs report clean

help: ## print this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv and install the toolkit with everything the other targets need

demo: $(READY) ## run the notebooks in order on drawn pictures (or SOURCE=folder:PATH WEIGHTS=FILE) and show what came of it
	$(BIN)/toolkit demo --source "$(SOURCE)" $(if $(WEIGHTS),--weights "$(WEIGHTS)")

test: $(READY) ## run the quick tests, which go through every module (JOBS=2 processes)
	$(PYTEST) -m "not slow and not notebook"

test-slow: $(READY) ## run the slow tests: long trainings, kills, clusters, browsers, all export formats
	$(SLOW) -m "slow and not notebook"

test-all: test ## run all tests: the quick ones, then the slow ones and the notebooks side by side
	$(SLOW) -m "slow or notebook" --durations=40

coverage: $(READY) ## print how many lines of the package the tests run (FAST=1 for the quick tests alone)
	$(PYTEST) -m "$(if $(FAST),not slow and )not notebook" --cov --cov-report=
	@$(BIN)/coverage report --format=total

check: $(READY) ## lint, format and types, notebooks too; no stored outputs, no big files but the weights
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/nbstripout --verify $(wildcard notebooks/*.ipynb)
	@big=$$(git ls-files -z | xargs -0 -r stat -c '%s %n' | awk '$$1 > 1000000 && $$2 != "toolkit/networks/weights/cifar10.npz"'); \
	if [ -n "$$big" ]; then echo "files over 1 MB: $$big"; exit 1; fi

audit: $(READY) ## look up known holes in the versions that were tested, and in the lowest that are allowed
	@$(PIP) pip-audit || echo "pip-audit cannot be had"
	@$(BIN)/python tools/audit.py

notebooks: $(READY) ## execute all notebooks on tiny data
	$(BIN)/python -m pytest -m notebook

docs: $(READY) ## build the documentation site in build/site; a broken link is an error
	$(BIN)/python tools/docs.py
	$(BIN)/zensical build --strict --clean --config-file build/mkdocs.yml

report: $(READY) ## write models/DATASET/report.html again (DATASET=practice)
	$(BIN)/toolkit report "$(DATASET)"

clean: ## remove .venv, caches and built pages; data/ and models/ stay
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An up-to-date pip finds versions in a third of the time; what is imported is compiled then, not all there is.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) --no-compile -c constraints.txt -e ".[notebooks,dev]"
	@touch $@
