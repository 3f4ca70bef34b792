# Two commands for users: `make serve` and `make test`. Each sets up .venv first, and again only when requirements changed.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
BIN := .venv/bin
SOURCES := serving sharding training benchmarks notebooks tests

# uv is quick, but reads only its own configuration; an index that only pip was told of is left to pip.
INSTALL = { $(BIN)/uv pip install --quiet --python $(BIN)/python $(1) || $(BIN)/python -m pip install --quiet $(1); }

.PHONY: help serve test lint format requirements protocol clean

help:
	@echo 'make serve [HOST=127.0.0.1] [PORT=8000] [MODEL=FOLDER_OR_ID]   set up and serve a model'
	@echo 'make test [HOST=] [PORT=] [ARGS="-k name"]                     set up and run the tests'
	@echo 'make lint | format | requirements | protocol | clean           for those who change the code'

serve: .venv/serve.stamp
	@$(BIN)/tradewind serve $(if $(MODEL),--model '$(MODEL)') $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

test: .venv/dev.stamp
	@echo 'Running the tests$(if $(HOST)$(PORT), with the server at $(or $(HOST),127.0.0.1):$(or $(PORT),any free port)).'
	@$(if $(HOST),TRADEWIND_TEST_HOST=$(HOST)) $(if $(PORT),TRADEWIND_TEST_PORT=$(PORT)) $(BIN)/python -m pytest $(ARGS)

lint: .venv/dev.stamp
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/lint-imports

format: .venv/dev.stamp
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

requirements: .venv/dev.stamp
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --python-version 3.11 --custom-compile-command 'make requirements' \
		pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --python-version 3.11 --custom-compile-command 'make requirements' \
		--extra dev --constraint requirements.txt pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --no-emit-index-url --python-version 3.11 --custom-compile-command 'make requirements' \
		--no-deps --generate-hashes --group encoder -o requirements-encoder.txt

# An older generator, whose code protobuf 6 and 7 both accept.
protocol: .venv/bin/uv
	$(BIN)/uv run --no-project --with grpcio-tools==1.76.0 python -m grpc_tools.protoc -I. --python_out=. \
		serving/engine/engine.proto serving/encoder/encoder.proto

clean:
	rm -rf .venv build *.egg-info

.venv/bin/uv:
	@test -n '$(PYTHON)' || { echo 'Tradewind needs Python 3.11 or newer with its venv module, and found none here.'; \
		echo 'Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: make serve PYTHON=/path/to/python3'; exit 1; }
	@echo 'Setting up .venv with $(PYTHON)'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || { rm -rf .venv; exit 1; }

.venv/serve.stamp: requirements.txt requirements-encoder.txt pyproject.toml | .venv/bin/uv
	@echo 'Installing what serving needs'
	@$(call INSTALL,-r requirements.txt)
	@$(call INSTALL,--no-deps --require-hashes -r requirements-encoder.txt)
	@$(call INSTALL,--no-deps -e .)
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements-encoder.txt pyproject.toml | .venv/bin/uv
	@echo 'Installing what serving and the tests need'
	@$(call INSTALL,-r requirements-dev.txt)
	@$(call INSTALL,--no-deps --require-hashes -r requirements-encoder.txt)
	@$(call INSTALL,--no-deps -e .)
	@touch $@ .venv/serve.stamp
