# Every target makes or refreshes .venv by itself from the lock files. CONTRIBUTING.md shows the plain commands.
# `make run PORT=8001` picks another port, `make test TESTS=tests/tasks` other tests, `PYTHON=…` another interpreter,
# `VENV=…` another environment, `make setup WITH_PIP='pip==23.2.1'` another pip in a new environment.

PYTHON ?= python3
PORT ?= 8000
TESTS ?= tests
VENV ?= .venv
WITH_PIP ?= 'pip>=23.2'
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input

# Checks import the settings, which make the data folder and its key: keep them away from the user's own data.
CHECK_HOME := $(abspath $(VENV))/check-home

# Each of the hundreds of processes that the tests start would compile the product again.
unexport PYTHONDONTWRITEBYTECODE

# Without Chromium the other tests still run, with a message; CI may leave nothing out.
CHROMIUM := $(shell command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome)
ifeq ($(CI)$(CHROMIUM),)
BROWSER := and not browser
endif

# The same for what runs on Node.
NPM := $(shell command -v npm)

define PYTHON_TOO_OLD
$(PYTHON) is missing or older than 3.11: install Python 3.11 or newer, or name another: make PYTHON=/path/to/python3.12
endef
define NO_PIP
This Python has neither ensurepip nor pip: install them (Debian, Ubuntu: apt install python3-venv) and run make again.
endef

.PHONY: help run link setup test test-all coverage test-storms test-properties test-conformance test-clients test-schema lint type bench demo screenshots openapi lock clean
.DEFAULT_GOAL := help

help:
	@echo "make run       start the site on http://127.0.0.1:$(PORT)/"
	@echo "make link      a new sign-in link for a running site"
	@echo "make test      the tests"
	@echo "make test-all      the tests, then the storms"
	@echo "make coverage  the tests with coverage"
	@echo "make test-storms       storms of real processes, which need the machine to themselves"
	@echo "make test-properties   the property tests with twenty times as many examples"
	@echo "make test-conformance  the protocol's conformance suite and Inspector; installs them with npm"
	@echo "make test-clients      Claude Code, Codex and Gemini CLI do plans, also in isolation; installs them with npm (1.1 GB)"
	@echo "make test-schema       every operation of docs/openapi.yaml with valid and invalid requests"
	@echo "make lint      style, layers, missing migrations"
	@echo "make type      mypy, strict"
	@echo "make bench     the speed table, as text and JSON"
	@echo "make demo      two assistants and a crash between them"
	@echo "make screenshots       the pictures in docs/screenshots, of the sample project"
	@echo "make setup     .venv with everything for development"
	@echo "make openapi   regenerate docs/openapi.yaml"
	@echo "make lock      renew requirements*.lock from pyproject.toml"
	@echo "make clean     remove .venv and every cache"

run: $(VENV)/run.stamp
	$(BIN)/python manage.py up --port $(PORT)

link: $(VENV)/run.stamp
	@$(BIN)/python manage.py sign_in_link

setup: $(VENV)/dev.stamp

# The tests of a file run in one process, where they share the servers that they talk to.
test: $(VENV)/dev.stamp
	@$(if $(BROWSER),echo "chromium not found: browser tests left out (install chromium to run them)")
	$(BIN)/python -m pytest -n auto --dist loadfile --durations=10 $(COVER) \
		-m "not storm and not conformance and not clients and not schema $(BROWSER)" $(TESTS)

test-all: test test-storms

# Measuring every process takes more time than the tests themselves.
coverage: COVER = --cov --cov-report=term
coverage: test

# One at a time: a storm needs the whole machine.
test-storms: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m storm -o timeout=900 $(TESTS)

test-properties: $(VENV)/dev.stamp
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n auto -m "hypothesis and not storm" -o timeout=900 $(TESTS)

test-conformance: $(VENV)/dev.stamp
ifeq ($(CI)$(NPM),)
	@echo "npm not found: the protocol's own suite and Inspector left out (install Node.js with npm to run them)"
else
	tests/conformance/install.sh
	$(BIN)/python -m pytest -m conformance tests/conformance
endif

test-clients: $(VENV)/dev.stamp
ifeq ($(CI)$(NPM),)
	@echo "npm not found: the real assistants left out (install Node.js with npm to run them)"
else
	tests/clients/install.sh
	$(BIN)/python -m pytest -m "clients $(BROWSER)" tests/clients
endif

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	ORCHESTRATOR_HOME="$(CHECK_HOME)" $(BIN)/python -W error manage.py makemigrations --check --dry-run

type: $(VENV)/dev.stamp
	ORCHESTRATOR_HOME="$(CHECK_HOME)" $(BIN)/mypy

bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench

demo: $(VENV)/dev.stamp
	$(BIN)/python -m tests.demo

screenshots: $(VENV)/dev.stamp
	$(BIN)/python -m tests.screenshots

test-schema: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m schema tests/schema

openapi: $(VENV)/dev.stamp
	ORCHESTRATOR_HOME="$(CHECK_HOME)" $(BIN)/python manage.py openapi > docs/openapi.yaml

# The locks hold for every platform and every Python from 3.11 on, and name no package index.
COMPILE = $(BIN)/uv pip compile -q --upgrade --universal --no-strip-extras --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml
lock: $(VENV)/dev.stamp
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra dev --extra postgres --extra redis --extra s3 --constraint requirements.lock \
		--output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage staticfiles

# A stamp is newer than its lock exactly when the lock has been installed.
$(VENV)/run.stamp: requirements.lock | $(BIN)/python
	$(PIP_INSTALL) --require-hashes -r $<
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock | $(BIN)/python
	$(PIP_INSTALL) --require-hashes -r $<
	@touch $@

# Where ensurepip is left out (Debian without python3-venv), the system's own pip fills the new environment.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo '$(PYTHON_TOO_OLD)' >&2; exit 1; }
	@rm -rf $(VENV)
	@echo "Making $(VENV) and installing the packages that the lock file names; this takes a minute."
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
		rm -rf $(VENV); \
		$(PYTHON) -m venv --without-pip $(VENV) \
		&& $(PYTHON) -m pip --disable-pip-version-check --python $(BIN)/python install -qq pip \
		|| { rm -rf $(VENV); echo '$(NO_PIP)' >&2; exit 1; }; }
	@$(PIP_INSTALL) $(WITH_PIP) || { rm -rf $(VENV); exit 1; }
