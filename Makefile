# Every verb sets up what it needs; `make demo` and `make test` are the two to start with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-crewai test-crewai-lowest test-otel lint format typecheck bench docs test-matrix test-lowest test-langchain-matrix clean

help: ## Show the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-22s %s\n", $$1, $$2}'

$(READY): pyproject.toml
	@test -d $(VENV) || $(PYTHON) -c 'import sys; v = sys.version_info[:2]; v >= (3, 10) or sys.exit( \
		"This needs Python 3.10 or newer; $(PYTHON) is %d.%d. Name another one with PYTHON=..." % v)'
	@echo "Setting up $(VENV) (once, takes a moment) ..."
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[dev]"
	@touch $@

demo: $(READY) ## Bill a LangChain agent's run on a Keito that runs on this machine
	@KEITO_API_KEY= $(BIN)/python examples/support_agent.py

test: $(READY) ## Run the test suite
	@$(BIN)/python -m pytest

.venv-crewai/.ready .venv-crewai-lowest/.ready .venv-otel/.ready: pyproject.toml | $(READY)
	@echo "Setting up $(@D) (once, takes about a minute) ..."
	@test -d $(@D) || $(BIN)/uv venv --quiet --python $(BIN)/python $(@D)
	@$(BIN)/uv pip install --quiet --python $(@D)/bin/python -e ".[test-$(if $(findstring otel,$@),otel,crewai)]" \
		$(if $(findstring lowest,$@),crewai==1.13.0)
	@touch $@

test-crewai: .venv-crewai/.ready ## Run the tests of the CrewAI integration, which has an environment of its own
	@.venv-crewai/bin/python -m pytest tests/integration/crewai

test-otel: .venv-otel/.ready ## Run the tests of frameworks that emit spans, which have an environment of their own
	@.venv-otel/bin/python -m pytest -q tests/integration/otel/frameworks \
		-W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning

test-crewai-lowest: .venv-crewai-lowest/.ready ## Run them on the oldest CrewAI that keito accepts
	@.venv-crewai-lowest/bin/python -m pytest tests/integration/crewai

torture: $(READY) ## Kill agents and relays 256 times, on both stores, and count what is on Keito
	@KEITO_TORTURE_KILLS=60 $(BIN)/python -m pytest -q -s tests/e2e/torture

lint: $(READY) ## ruff, mypy --strict, pyright, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports --no-cache

format: $(READY) ## Format the code
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(READY) ## Measure the client, metering, pricing, billing, the handlers and the outbox against peers and bounds
	@missed=; for part in "" .metering .pricing .billing .langchain .otel .outbox ".relay --pending 1000000" .sandbox_pages; do \
		echo "== python -m benchmarks$$part"; $(BIN)/python -m benchmarks$$part || missed="$$missed benchmarks$$part"; done; \
		test -z "$$missed" || { echo "A bound was missed in:$$missed"; exit 1; }

bench-crewai: .venv-crewai/.ready ## Measure what it costs a crew to be billed
	@$(BIN)/uv pip install --quiet --python .venv-crewai/bin/python openinference-instrumentation-crewai
	@.venv-crewai/bin/python -m benchmarks.crewai

docs: $(READY) ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

test-matrix: $(READY) ## Run the core's tests on Python 3.9 to 3.13
	@UV=$(BIN)/uv scripts/test-matrix

test-langchain-matrix: $(READY) ## Run the tests of LangChain on its oldest and newest versions
	@UV=$(BIN)/uv scripts/test-langchain-matrix

test-lowest: $(READY) ## Run the core's tests on the oldest dependencies that keito accepts
	@UV=$(BIN)/uv scripts/test-matrix --lowest

clean: ## Remove what the verbs made
	rm -rf $(VENV) .venv-crewai .venv-crewai-lowest .venv-otel site .mypy_cache .ruff_cache .pytest_cache
