# `make demo` and `make test` need Python 3.11 or newer, make and git. Everything else is made here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test soak bench lint types layers install clean

demo: install
	$(BIN)/engage demo $(ARGS)

test: install
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

soak: install
	$(BIN)/python -m tests.harness $(ARGS)

bench: install
	$(BIN)/python -m tests.bench $(ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

layers: install
	$(BIN)/lint-imports

install: $(VENV)/ready

# Exact versions, each file's hash checked; the project itself is linked in, without its dependencies.
$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Engage needs Python 3.11 or newer; this is $$($(PYTHON) --version). Use: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf $(VENV) demo build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
