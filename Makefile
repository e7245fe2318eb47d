# `make run` serves the editor, `make check` takes ten seconds, `make test` runs every test. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
PIP := $(BIN)/pip --disable-pip-version-check install --progress-bar off

# A dot for each package, for pip says either nothing or too much. A file tells whether pip succeeded, behind the pipe.
define INSTALL
@rm -f $@.ok
@{ $(PIP) --require-hashes -r $< && touch $@.ok; } | awk '/^Collecting/ { printf "."; fflush() } \
    /^Installing collected/ { printf " unpacking"; fflush() } END { print "" }'
@test -e $@.ok && rm $@.ok
endef

.PHONY: help run test check test-long house bench bench-quick bench-update bench-append mutants format lock web clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: .venv/.run ## serve the editor on http://127.0.0.1:8000 and print two sign-in links
	@$(BIN)/collab serve

check: .venv/.dev ## format, lint, imports, types and the pure tests: about ten seconds
	@$(BIN)/python -m tests.check

test: .venv/.dev ## everything, with real Postgres, Redis, browsers and JavaScript clients
	$(PYTEST) -n 2 --dist worksteal

test-long: .venv/.dev ## the long form of the proofs: whole traces, more rounds
	COLLAB_LONG=1 $(PYTEST) -m long

house: .venv/.dev ## measure how plain the code is: the path of an update, the width of the doors
	$(BIN)/python -m bench.house

bench: .venv/.dev ## compare with other servers, side by side: installs them, about 25 minutes (needs gcc)
	$(BIN)/python -m bench.compare --out bench/results
	$(BIN)/python -m bench.report

bench-quick: .venv/.dev ## notice in three minutes that collab has become slower (needs gcc)
	$(BIN)/python -m bench.quick

bench-update: .venv/.dev ## measure the CPU of one update on its way through guard, room and host
	$(BIN)/python -m bench.update_path

bench-append: .venv/.dev ## measure what one append to the log costs, on a Postgres of its own
	$(BIN)/python -m bench.append

mutants: .venv/.dev ## change the code in small ways and see which changes no test notices: about twenty minutes
	$(BIN)/python -m bench.mutants

format: .venv/.dev ## put the code into its form
	$(BIN)/ruff format collab tests bench alembic
	$(BIN)/ruff check --fix collab tests bench alembic

lock: ## write the two lock files anew from pyproject.toml (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    --no-annotate pyproject.toml -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    --no-annotate pyproject.toml --group dev -o requirements-dev.lock

web: ## build the editor into collab/api/static (needs node)
	cd web && npm ci && npm run build

clean: ## forget the virtual environment and every cache
	rm -rf .venv bench/.peers .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis web/node_modules tests/interop/node_modules

.venv/bin/python:
	@echo "Making the virtual environment .venv …"
	@$(PYTHON) -m venv .venv

.venv/.run: requirements.lock pyproject.toml | .venv/bin/python
	@printf "Downloading what collab needs: half a minute, only this once "
	$(INSTALL)
	@$(PIP) -q --no-deps -e .
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	@printf "Downloading what collab and its tests need: about a minute, only this once "
	$(INSTALL)
	@$(PIP) -q --no-deps --no-build-isolation -e .
	@touch .venv/.run $@
