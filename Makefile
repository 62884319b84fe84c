# What a newcomer and a developer run. `make quickstart` builds and checks a real rootfs; `make test` runs the tests.

VENV ?= .venv
QUICKSTART ?= quickstart
BIN := $(VENV)/bin
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: quickstart test test-fast lint wheel-test docs trust clean

quickstart: $(VENV)/installed
	@scripts/quickstart $(BIN)/rootfs-kit $(QUICKSTART)

test: $(VENV)/installed
	$(BIN)/python -m pytest

# Under two minutes on two processors: no builds, no boots, no kill tests, nothing that tries thousands of inputs.
test-fast: $(VENV)/installed
	$(BIN)/python -m pytest -m "not slow and not network" -n auto

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel-test: $(VENV)/installed
	$(BIN)/python -m pytest tests/packaging

# docs/checks.md is generated from the checks themselves, docs/distros.md from distros/.
docs: $(VENV)/installed
	$(BIN)/python -m rootfs_kit.suite.catalogue docs/checks.md
	$(BIN)/python -m rootfs_kit.distro.table docs/distros.md

# Real guests, broken in some three hundred ways: minutes, as root, with Debian's archive.
trust: $(VENV)/installed
	$(BIN)/python -m tests.mutations docs/trust.md

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/installed: pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "rootfs-kit needs Python 3.11 or later; this is $$(python3 --version)"; exit 1; }
	@python3 -c 'import ensurepip' 2>/dev/null || $(ROOT) apt-get install -y python3-venv
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
