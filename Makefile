# Everything runs in .venv, which any target makes and keeps up to date.
PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin

.PHONY: run test nightly fuzz lint types bench soak compliance smoke clean floors \
	screenshots

run: .venv/ready
	$(BIN)/chatmux run $(if $(CONFIG),--config $(CONFIG))

# How many examples the properties are tried with: tests/profiles.py.
test: export CHATMUX_HYPOTHESIS ?= ci

# What the tests of the page check its accessibility with; without npm they are skipped.
AXE := $(if $(shell command -v npm),tests/axe/node_modules/ready)

# Then looks whether a secret is in anything that was logged.
test: .venv/ready-dev $(AXE)
	@status=0; \
	$(BIN)/trial --random=0 $(or $(TESTS),tests) || status=$$?; \
	$(BIN)/python -m tests.canaries _trial_temp || [ $$status -ne 0 ] || status=1; \
	exit $$status

# All modules with properties; for hours.
nightly: .venv/ready-dev
	CHATMUX_HYPOTHESIS=nightly $(BIN)/trial --random=0 \
		$$(grep -l '^from hypothesis' tests/test_*.py | sed 's,/,.,; s/\.py$$//')

# Each target for so long, two at a time.
FUZZ_SECONDS ?= 600
FUZZ ?= webtalk machat json tokens http

fuzz: .venv/ready-fuzz
	printf '%s\n' $(FUZZ) | xargs -P 2 -I TARGET $(BIN)/python -m fuzz TARGET $(FUZZ_SECONDS)

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready-dev
	$(BIN)/mypy

bench: .venv/ready-dev
	$(BIN)/python -m benchmarks $(BENCH)

soak: .venv/ready-dev
	$(BIN)/python -m benchmarks soak --minutes $(or $(MINUTES),5) $(SOAK)

compliance: .venv/ready-dev
	$(BIN)/python -m tests.compliance $(COMPLIANCE)

smoke:
	PYTHON=$(PYTHON) tests/smoke.sh

# The pictures in docs/screenshots.
screenshots: .venv/ready-dev
	$(BIN)/python -m tests.screenshots
	$(BIN)/python -m tests.admin_screenshots

# The oldest versions that setup.cfg allows.
FLOOR_TESTS := tests.test_floors tests.test_tls tests.test_client_certificates \
	tests.test_alpn tests.test_websocket tests.test_handshake tests.test_lean \
	tests.test_http tests.test_http_upgrade tests.test_globes_tokens \
	tests.test_config tests.test_sqlite_store tests.test_postgres_store \
	tests.test_passwords tests.test_process.CrossingTests

floors: .venv-floors/ready
	.venv-floors/bin/trial --temp-directory=_trial_temp_floors $(FLOOR_TESTS)

clean:
	rm -rf .fuzz .venv .venv-27 .venv-floors tests/axe/node_modules build *.egg-info \
		_trial_temp* .hypothesis .mypy_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Not for every Python there are wheels.
.venv/ready-fuzz: .venv/ready-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	touch $@

.venv-floors/ready: setup.cfg .ci/floors.py
	$(PYTHON) -m venv .venv-floors
	$(PYTHON) .ci/floors.py > .venv-floors/constraints
	.venv-floors/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint .venv-floors/constraints \
		--editable '.[postgres]' hypothesis websockets
	touch $@

tests/axe/node_modules/ready: tests/axe/package-lock.json
	npm ci --prefix tests/axe --silent --no-audit --no-fund --ignore-scripts
	touch $@
