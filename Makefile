# Everything runs in .venv, which any target makes and keeps up to date.
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin

.PHONY: run test lint types bench smoke clean

run: .venv/ready
	$(BIN)/chatmux run $(if $(CONFIG),--config $(CONFIG))

test: .venv/ready-dev
	$(BIN)/trial --random=0 $(or $(TESTS),tests)

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready-dev
	$(BIN)/mypy

bench: .venv/ready-dev
	$(BIN)/python -m benchmarks $(BENCH)

smoke:
	PYTHON=$(PYTHON) tests/smoke.sh

clean:
	rm -rf .venv build *.egg-info _trial_temp* .hypothesis .mypy_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
