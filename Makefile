# `make run` and `make test` set up all they need in a fresh clone; the second time they start at once.
# ARGS goes to the program: make run ARGS="--theme dark", make test ARGS="-k canvas".

.PHONY: run test lint bench

PYTHON := .venv/bin/python
# Tests and measurements draw on a virtual screen, so that no window gets in anyone's way.
ifeq ($(shell uname -s),Linux)
SCREEN := QT_QPA_PLATFORM=xcb xvfb-run --auto-servernum --server-args="-screen 0 1920x1200x24"
endif

run:
	@.ci/setup run
	@.ci/start $(ARGS)

test: lint
	@$(SCREEN) $(PYTHON) -m pytest $(ARGS)

lint:
	@.ci/setup test
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m mypy

bench:
	@.ci/setup test
	@$(SCREEN) $(PYTHON) -m tests.bench $(ARGS)
