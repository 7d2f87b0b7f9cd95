# Thin verbs; the work is in the paymesh command and the tools. `make help` lists them.
SHELL := /bin/sh
# The first that runs and is 3.11 or 3.12; a name on PATH alone may be a shim that does not run.
PYTHON := $(or $(PYTHON),$(shell for name in python3.11 python3.12 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12)})' 2>/dev/null \
	&& command -v "$$name" && break; done))
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed
BROWSER := $(VENV)/.browser
PIP := $(RUN)/python -m pip --disable-pip-version-check
SOURCES := client audit_log bookkeeping paging privacy chassis payment_svc ledger_svc wallet_svc risk_svc psp_gateway edge_auth devstack benchmarks tests docs
ONLY ?=
CASE ?=
SEEDS ?= 500
# Most of a test's time is waiting: three keep two cores busy.
WORKERS ?= 3
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo test up down status check format protos manifests baseline audit bench sim faults chaos

help: ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with the locked dependencies

$(STAMP): requirements/development.lock requirements/sources.lock pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 with venv is needed: install one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python"; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON): $$(grep -c '==' requirements/development.lock) locked packages, a minute or two"
	@$(RUN)/python -c 'import pip' 2>/dev/null || "$(PYTHON)" -m venv --clear $(VENV)
	@$(PIP) install --quiet --progress-bar off --no-deps --only-binary :all: --require-hashes -r requirements/development.lock
	@said=$$($(PIP) install --quiet --progress-bar off --no-deps --no-binary :all: --no-build-isolation --require-hashes -r requirements/sources.lock 2>&1) || { echo "$$said"; exit 1; }
	@said=$$($(PIP) install --quiet --no-deps --no-build-isolation --editable . 2>&1) || { echo "$$said"; exit 1; }
	@touch $@

$(BROWSER): $(STAMP) requirements/browser.lock
	@$(PIP) install --quiet --progress-bar off --no-deps --only-binary :all: --require-hashes -r requirements/browser.lock
	@touch $@

demo: setup ## one pay-in, end to end, on a fresh stack
	@$(RUN)/paymesh demo

up: setup ## start the stack in the background
	@$(RUN)/paymesh up --detach --mesh

down: setup ## stop the stack
	@$(RUN)/paymesh down

status: setup ## what runs, where, how it is
	@$(RUN)/paymesh status

test: check ## every check and every test
	@$(RUN)/pytest --numprocesses $(WORKERS) --dist loadfile

check: setup $(BROWSER) ## format, lint, types, imports, protos, stubs, secrets
	$(RUN)/ruff format --check $(SOURCES)
	$(RUN)/ruff check $(SOURCES)
	$(RUN)/mypy
	$(RUN)/lint-imports --no-cache
	$(RUN)/buf lint
	$(RUN)/buf format --diff --exit-code protos
	$(RUN)/buf breaking protos --against protos/baseline.binpb
	$(RUN)/python -m devstack.protos --check
	$(RUN)/python -m devstack.openapi --check
	$(RUN)/python -m devstack.k8s --check
	git ls-files -z | grep -zvE '^(stubs/|third_party/|requirements/.*\.lock)' | xargs -0 $(RUN)/detect-secrets-hook --baseline .secrets.baseline

format: setup ## put the sources in order
	$(RUN)/ruff check --fix $(SOURCES)
	$(RUN)/ruff format $(SOURCES)
	$(RUN)/buf format --write protos

protos: setup ## generate stubs/ from protos/
	$(RUN)/python -m devstack.protos
	$(RUN)/python -m devstack.openapi

manifests: setup ## write k8s/base
	$(RUN)/python -m devstack.k8s

baseline: setup ## accept today's protos as what `buf breaking` compares with
	$(RUN)/buf build protos --exclude-source-info -o protos/baseline.binpb

audit: setup ## look for known vulnerabilities in the locked dependencies
	@$(RUN)/python -m devstack.dependency_audit requirements/*.lock

sim: setup ## the whole under simulated time, faults and crashes; SEEDS=500
	@$(RUN)/python -m tests.simulation --seeds $(SEEDS)

faults: setup ## kill -9 at every named point; ONLY=capture, CASE='…' to play one again
	@$(RUN)/python -m tests.faults.matrix $(if $(ONLY),--only '$(ONLY)') $(if $(CASE),--case '$(CASE)')

bench: setup ## measure; ONLY=pay_in
	@$(RUN)/python -m benchmarks $(ONLY)

chaos: setup ## kill, pause and cut off a full stack under load; SECONDS=300 SEED=1
	@$(RUN)/python -m tests.chaos --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1)
