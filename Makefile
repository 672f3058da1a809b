# Everything lands in .venv and in the user's cache; nothing needs root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export YOLO_AUTOINSTALL := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint types layers unit docs docs-check bench soak clean

demo: $(VENV)/.demo
	$(BIN)/platefleet demo $(DEMO)

test: $(VENV)/.dev lint types layers docs-check unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy -p platefleet

layers: $(VENV)/.dev
	$(BIN)/lint-imports

# Three processes for two cores, because many tests wait; PYTEST="-n 0" runs them one after the other in one.
unit: $(VENV)/.dev
	$(BIN)/python -m tests.prerequisites
	$(BIN)/python -m pytest -n 3 $(PYTEST)

docs: $(VENV)/.dev
	$(BIN)/python -m platefleet.deploy.docs

docs-check: $(VENV)/.dev
	$(BIN)/python -m platefleet.deploy.docs --check

bench: $(VENV)/.dev
	$(BIN)/platefleet bench $(BENCH)

soak: $(VENV)/.dev
	PLATEFLEET_SOAK=1 $(BIN)/python -m pytest tests/faults -s -m "" --timeout 3600 $(PYTEST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "platefleet needs Python 3.10 or newer; name one: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python cannot make a virtual environment here; on Debian and Ubuntu the package python3-venv brings what is missing." >&2; exit 1; }

# The demo needs neither torch nor a compiler: about 0.5 GB.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable '.[demo]'
	@$(BIN)/python deploy/opencv_here.py
	@touch $@

# The tests compare with ultralytics, which brings torch: about 6 GB and two to three minutes.
$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable '.[dev,torch]'
	@$(BIN)/python deploy/opencv_here.py
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
