# One environment in .venv, installed from the hash-pinned lock; every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help

help: ## Say what the targets do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: $(READY) ## Make .venv and install the package with everything that it needs

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

demo: setup ## Play the whole story on real parts
	@$(BIN)/python -m examples.demo $(DEMO)

test: setup ## Run all tests but the slow suites
	$(PYTEST) -m "not slow"

slow: setup ## Run the slow suites: chaos, fuzz, long property tests
	$(PYTEST) -m slow --timeout 3600

coverage: setup ## Branch coverage of artifact and decide, which must be complete
	$(BIN)/python -m coverage run -m pytest -q -m "not slow and not sandbox" tests/artifact tests/decide tests/attacks
	$(BIN)/python -m coverage report --fail-under 100

check: setup ## Linters, types, trust domains, schemas, the formal model
	$(BIN)/ruff format --check src tests benchmarks examples formal train
	$(BIN)/ruff check src tests benchmarks examples formal train
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m interlock.artifact.schema --check docs/spec
	$(BIN)/python formal/check.py
	$(BIN)/python tests/support/core_size.py

bench: setup ## Run the benchmarks; writes benchmarks/results.json
	$(BIN)/python -m benchmarks

eval: setup ## Play AgentDojo under a planner that is taken over: utility, questions, attacks
	$(BIN)/interlock eval agentdojo

eval-boundary: setup ## Play calls of CORPORA=DIR against a running harness in a closed world, and count effects
	$(BIN)/interlock eval boundary $(CORPORA)/calls.jsonl $(BOUNDARY)

fuzz: setup ## Fuzz codec, channel and parsers, five minutes each
	FUZZ_SECONDS=300 $(PYTEST) -m slow --timeout 3600 tests/fuzz

train: setup ## Rebuild the classifiers' weights from CORPORA=DIR and from our own actions
	$(BIN)/python -m train --corpora $(CORPORA)

mutate: setup ## The share of seeded mistakes in artifact and decide that the tests catch
	$(BIN)/python -m tests.support.mutation

lock: ## Write requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --extra evals --extra onnx --universal --generate-hashes --no-emit-index-url --no-header -q -o requirements.lock

clean: ## Remove what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .coverage benchmarks/results.json

.PHONY: help setup demo test slow coverage check bench eval eval-boundary fuzz train mutate lock clean
