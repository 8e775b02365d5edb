# Every habit of the project is one word; `make` alone lists them.
# A target sets up what it needs: the first run makes .venv, later runs are instant.

# Name an interpreter to make .venv with it and no other: make clean test PYTHON=python3.12
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/pytest
# How long make soak lets servers and workers fail: make soak MINUTES=5
MINUTES ?= 20
# A file's tests stay together, so that its servers start once; tests/conftest.py says in which order.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder
SOURCES := shopflow channels tests

.PHONY: help demo test quick soak check fix golden docs wheel clean

help:
	@echo "make demo     a simulated month of a shop, mails sent to a local SMTP sink"
	@echo "make test     all tests"
	@echo "make quick    all tests but the slow ones"
	@echo "make soak     20 minutes of faults by chance on real servers; MINUTES=5 makes it shorter"
	@echo "make check    all that CI checks: format, lint, types, imports, spelling, tests, rules"
	@echo "make fix      formats the code and repairs what can be repaired by itself"
	@echo "make golden   rewrites the expected outputs kept beside the tests; review the diff"
	@echo "make docs     rewrites the generated pages of docs/ and checks the others"
	@echo "make wheel    builds dist/*.whl"
	@echo "make clean    removes .venv, caches and what was built"

demo: $(READY)
	$(BIN)/shopflow demo

test: $(READY)
	$(PYTEST) $(PARALLEL)

quick: $(READY)
	$(PYTEST) $(PARALLEL) -m "not slow and not soak"

soak: $(READY)
	SHOPFLOW_SOAK_MINUTES=$(MINUTES) $(PYTEST) -m soak -s

# Fastest first, so that a slip is known early.
check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(PYTEST) $(PARALLEL)
	$(BIN)/shopflow lint
	$(BIN)/shopflow test --shuffle-ties --min-coverage 95

fix: $(READY)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

golden: $(READY)
	$(PYTEST) -q -m golden --update-golden

docs: $(READY)
	$(PYTEST) -q -m golden --update-golden tests/docs tests/e2e/test_catalogue.py
	$(PYTEST) -q tests/docs

wheel: $(READY)
	$(BIN)/python -m build --wheel --no-isolation

clean:
	rm -rf $(VENV) build dist demo-out
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# An interpreter counts only if it starts (a version manager's stand-in may not), is new enough
# and can make an environment (Debian keeps that part in a package of its own).
$(READY): pyproject.toml
	@set -e; \
	fits='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'; \
	if ! $(BIN)/python -c "$$fits" 2>/dev/null; then \
	    found=; \
	    for candidate in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	        if "$$candidate" -c "$$fits" 2>/dev/null; then found="$$candidate"; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "shopflow needs Python 3.11 or newer with its venv module; none of these will do: $(or $(PYTHON),python3.13 python3.12 python3.11 python3)." >&2; \
	        echo "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name yours: make PYTHON=/path/to/python3.12" >&2; \
	        exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$("$$found" --version)"; \
	    "$$found" -m venv --clear $(VENV); \
	fi; \
	echo "Installing shopflow and its tools into $(VENV), once; this takes a minute"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev; \
	touch $@
