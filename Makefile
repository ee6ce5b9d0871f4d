# Needs make and Python 3.11 or newer with venv; uv is used where it is found, never required.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Interpreters to try, in order; `make PYTHON=/path/to/python3.12 …` names one.
PYTHON ?= python3.13 python3.12 python3.14 python3.11 python3
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
FOUND = $(shell for python in $(PYTHON); do "$$python" -c '$(USABLE)' 2>/dev/null && echo "$$python" && break; done)
UV := $(shell command -v uv 2>/dev/null)
# As an environment variable: a pip that always builds so ignores it, an older one needs it.
PIP := PIP_USE_PEP517=1 $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: install rehearse test check bench bench-search soak lock

install: $(STAMP)
	@:

rehearse: install
	$(BIN)/kumiawase rehearse $(ARGS)

# Two at a time, a file's tests together. They start the program hundreds of times: compiled once.
test: export PYTHONDONTWRITEBYTECODE :=
test: install
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(ARGS)

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	$(BIN)/python -m benchmarks $(ARGS)

# Finished runs are kept in .bench-search.jsonl; ARGS="--quick" runs a small part.
bench-search: install
	$(BIN)/python -m benchmarks.search $(ARGS)

# Kills, faults, silences, slow neighbours, many processes; an hour. ARGS='faults kills' runs some of it.
soak: install
	$(BIN)/python -m tests.soak $(ARGS)

# Written anew by hand after a change of pyproject.toml; ARGS=--upgrade moves every pin.
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile pyproject.toml --output-file requirements.lock --universal --generate-hashes \
	  --no-config --python-version 3.11 --all-extras --group test --group bench --group lint --no-annotate \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet $(ARGS)

$(STAMP): requirements.lock pyproject.toml
ifdef UV
	@test -x $(BIN)/python || uv venv --quiet --clear --python "$(or $(FOUND),>=3.11)" $(VENV)
	@echo "Installing the pinned packages into $(VENV) with uv ..." >&2
	@uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	@test -n "$(FOUND)" || { echo "No Python 3.11 or newer with venv among: $(PYTHON). Install one," \
	  "or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/pip || "$(FOUND)" -m venv --clear $(VENV)
	@echo "Installing the pinned packages into $(VENV); the first time takes some minutes ..." >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
endif
	@touch $@
