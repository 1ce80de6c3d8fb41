# Two commands do everything: `make chaos` (the main job) and `make test` (the project's tests).
PYTHON ?= python3
VENV   ?= .venv
ROUNDS ?= 3
SUDO   := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
TOX    := $(VENV)/bin/tox

# uv, with which tox installs packages in a tenth of pip's time, does not read pip's settings: an index is handed on.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: help chaos test kind test-kind packages venv load clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

chaos: packages $(TOX) ## Platform up, leaders killed under login load, report, platform down
	$(TOX) run -q -e chaos -- --rounds $(ROUNDS)

test: packages $(TOX) ## Lint, types, unit tests, then one round of the three leaders on a real platform
	$(TOX) run -q -e tests

kind: packages $(TOX) ## The same on a kind cluster: built, deployed, conformance, chaos, report, cluster away
	platform/kind/install-packages.sh
	$(TOX) run -q -e kind -- --rounds $(ROUNDS)

test-kind: packages $(TOX) ## One round of the three leaders, a node lost and a node drained, on a kind cluster
	platform/kind/install-packages.sh
	$(TOX) run -q -e kind -- --rounds 1 --experiment vault-leader-kill --experiment postgresql-primary-kill --experiment redis-master-kill --experiment node-kill --experiment postgresql-standby-drain

load: packages $(TOX) ## Login load with Locust's web UI on a platform that is up
	$(TOX) run -q -e load

packages: ## Install what Debian provides (root or sudo); leaves no service enabled or running
	scripts/install-packages.sh

$(TOX):
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q 'tox>=4.20,<5' 'tox-uv>=1.20,<2'

clean: ## Remove what was built here (not the reports)
	rm -rf $(VENV) .tox build *.egg-info
