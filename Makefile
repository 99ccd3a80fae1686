# The four entry points. `make serve ARGS="--listen 0.0.0.0:8080"` passes flags on.

ARGS ?=
PYTHON ?= python3

.PHONY: help serve setup test bench check-tools

help:
	@echo "make serve    build and start the server (ARGS=... are passed on)"
	@echo "make setup    install the inference runtime and the models into the per-user cache"
	@echo "make test     everything that must pass, on SQLite and PostgreSQL, with the vendors' clients"
	@echo "make bench    measure (docs/benchmarks.md); needs a quiet machine"

serve: setup
	cargo build --release --locked --package ocellus
	exec target/release/ocellus serve $(ARGS)

setup: check-tools
	$(PYTHON) scripts/setup.py --group serve

# PostgreSQL is thrown away afterwards; scripts/test_postgres.sh says what to install where it is missing.
test: check-tools
	@PYTHON="$(PYTHON)" scripts/check_tools.sh test
	$(PYTHON) scripts/setup.py --group test
	scripts/test_postgres.sh run cargo xtask ci

bench: check-tools
	$(PYTHON) scripts/setup.py --group bench
	cargo xtask bench $(ARGS)

check-tools:
	@PYTHON="$(PYTHON)" scripts/check_tools.sh
