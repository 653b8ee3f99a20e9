# The tasks of Waferline. `make` alone lists the targets.

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
COMPILE := env -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
SERVICES := ledger aggregator console notifier supplier datacenter planner operator
IMAGES := $(SERVICES:%=image-%)
PLATFORMS := $(patsubst %,manylinux_2_%_x86_64,17 27 28 34) manylinux2014_x86_64
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMPILED := $(patsubst %,tests/unit/aggregator/%,kernels fold plan alerts) tests/unit/test_bench_kernels.py
BOUNDS := NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=.venv/boundscheck

COMPOSE_COMMAND := $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# the programme and the profiles that were brought up last, and the files that are written from them
-include deploy/programme.mk
PROGRAMME ?= scenarios/stargate.yaml
# named for the file, or for the folder of one that `waferline init` wrote
DEPLOYMENT := deploy/programmes/$(filter-out programme,$(basename $(notdir $(PROGRAMME))))$(if \
	$(filter programme,$(basename $(notdir $(PROGRAMME)))),$(notdir $(patsubst %/,%,$(dir $(abspath $(PROGRAMME))))))
FILES = --file docker-compose.yml --file $(1)/compose.yml $(if $(TLS),--file deploy/tls.yml --file $(1)/tls.yml)
COMPOSE := $(COMPOSE_COMMAND) $(call FILES,$(DEPLOYMENT)) $(PROFILES:%=--profile %)
ASK := $(COMPOSE) --profile tools run --rm --no-deps -T operator
OPERATE := docker run --rm --network none --user "$$(id -u):$$(id -g)" \
	--volume "$(abspath $(PROGRAMME)):/etc/waferline/programme.yaml:ro"
SECRETS := mkdir -p deploy/secrets && $(OPERATE) --volume "$(CURDIR)/deploy/secrets:/secrets" \
	waferline/operator:$(VERSION) secrets --to /secrets --programme /etc/waferline/programme.yaml
DEPLOY := mkdir -p $(DEPLOYMENT) && $(OPERATE) --volume "$(CURDIR)/$(DEPLOYMENT):/deployment" \
	waferline/operator:$(VERSION) deployment /etc/waferline/programme.yaml --to /deployment --at ./$(DEPLOYMENT) \
	$(if $(filter notify,$(PROFILES)),--notifier)

# made by `make pin`: the images by digest
-include deploy/images.mk

export WAFERLINE_VERSION := $(VERSION)
export COMPOSE_PROJECT_NAME ?= waferline
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DELETE_ON_ERROR:
.PHONY: help demo demo-compose up parties down status logs ask report secrets backup restore check test test-compose test-containers test-browser screenshots docs simulate oracle chaos abuse fuzz sheet-table format contracts tape bench-path bench-ledger bench-api bench-restart bench-kernels bench-scale bench-sheets lock base-images wheels images $(IMAGES) pin audit sbom clean
.DEFAULT_GOAL := help

help:  ## List the targets.
	@awk -F ':.*##' '/^[a-z-]+:.*##/ { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready  ## Play the reference programme on this machine and print its balances; ARGS="..." goes to `waferline demo`.
	@$(BIN)/waferline demo $(ARGS)

up: images  ## Start a programme in containers and wait until all are well; PROGRAMME=F, TLS=1 encrypts, PROFILES=monitoring.
	@$(MAKE) --no-print-directory parties

parties:  ## Start the parties that the programme file names now, and remove all others, while the rest runs on.
	@$(if $(filter notify,$(PROFILES)),test -f deploy/secrets/notify/rules.yaml \
		|| { echo "write deploy/secrets/notify/rules.yaml first: docs/howto/notify.md"; exit 1; })
	@$(DEPLOY)
	@$(SECRETS)
	@printf 'PROGRAMME ?= %s\nPROFILES ?= %s\n' "$(PROGRAMME)" "$(PROFILES)" > deploy/programme.mk
	@deploy/load-users.sh $(COMPOSE)
	@$(COMPOSE) up --detach --remove-orphans
	@deploy/healthy.sh $(COMPOSE)

down:  ## Stop the containers and keep their data; ARGS=--volumes deletes it.
	@$(COMPOSE) down $(ARGS)

status:  ## Show each container, and the position of each service.
	@$(COMPOSE) ps
	@$(ASK) status $(ARGS)

logs:  ## Sum up the logs of the containers; ARGS=--follow, ARGS="--since 10m", ARGS=--check.
	@$(COMPOSE) logs --no-log-prefix --no-color | $(ASK) logs $(ARGS) -

ask:  ## Query the running containers: ARGS="shortages --why".
	@$(ASK) $(ARGS)

demo-compose: images  ## Play the reference programme in containers and print its balances: those of `make demo`.
	@deploy/demo.sh $(COMPOSE_COMMAND) $(call FILES,deploy/programmes/stargate)

report: TO ?= waferline-report
report:  ## Write the one-page status of the running containers as HTML and PDF: TO=waferline-report, ARGS="--as-of 2026-08-31".
	@mkdir -p "$(dir $(TO))"
	@$(COMPOSE) --profile tools run --rm --no-deps -T --user "$$(id -u):$$(id -g)" --volume "$(abspath $(dir $(TO))):/reports" \
		--workdir /reports operator report --to "$(notdir $(TO))" $(ARGS)

secrets: image-operator  ## Make the missing secrets of a deployment in deploy/secrets; ARGS="--renew NAME" replaces one.
	@$(SECRETS) $(ARGS)

backup:  ## Copy the running store, streams, outboxes and checkpoints to TO=folder (default: backups/<UTC time>).
	@deploy/backup.sh "$(or $(TO),backups/$(shell date -u +%Y-%m-%dT%H%M%SZ))" $(COMPOSE)

restore:  ## Restore a backup into an empty store and start all: FROM=folder; OLDER=1 gives up the batches after it.
	@deploy/restore.sh "$(FROM)" $(if $(OLDER),--older) $(COMPOSE)

check: .venv/ready  ## Check format, lint, types, imports, unit and contract tests: before every commit.
	@$(BIN)/ruff format --quiet --check . || { echo "format: run 'make format'"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > .venv/imports.txt || { cat .venv/imports.txt; exit 1; }
	@$(BIN)/pytest --quiet tests/unit tests/contracts

test: .venv/ready  ## Run every test, and those of the kernels again with array bounds checked; ARGS="..." goes to pytest.
	@$(BIN)/pytest --quiet $(ARGS)
	@$(BOUNDS) $(BIN)/pytest --quiet $(COMPILED)

test-compose: .venv/ready images  ## Break the containers while they play, and test access: 25 minutes; ARGS="..." goes to pytest.
	@$(BIN)/pytest --quiet tests/compose $(ARGS)

test-containers: .venv/ready  ## Run the end-to-end tests on Redis and PostgreSQL in containers of the deployment's images.
	@WAFERLINE_TEST_CONTAINERS=1 $(BIN)/pytest --quiet tests/e2e $(ARGS)

test-browser: .venv/ready  ## Test the planner's page in Chromium (apt-get install chromium): 2 minutes; ARGS="..." goes to pytest.
	@$(BIN)/pytest --quiet tests/browser $(ARGS)

screenshots: .venv/ready  ## Play the programme and save pictures of the planner's page in docs/pictures.
	@$(BIN)/python -m tests.browser.screenshots

simulate: .venv/ready  ## Simulate 10,000 worlds with seeded faults; ARGS="--seed 7" shows one.
	@$(BIN)/python -m tests.simulation $(ARGS)

oracle: .venv/ready  ## Compare every number over 300 random logs with an independent oracle's; ARGS="--seed 7" shows one.
	@$(BIN)/python -m testing.oracle $(ARGS)

sheet-table: .venv/ready  ## Read each sheet of a folder, and print the outcome of each: SAMPLES=FOLDER.
	@$(BIN)/python -m testing.sheet_table $(SAMPLES)

format: .venv/ready  ## Format the code, and apply the fixes of the linter.
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

contracts: .venv/ready  ## Write contracts/ and the generated pages in docs/ anew from the code; a diff is a change of contract.
	@$(BIN)/python -m services.operator.docs

tape: .venv/ready  ## Record the kept tape and its state hash; a diff means that a balance has changed.
	@$(BIN)/python -m tests.replay.tape

bench-path: .venv/ready  ## Measure the whole path from an event to its balance.
	@$(BIN)/python -m bench.path $(ARGS)

bench-ledger: .venv/ready  ## Measure the ledger against other stores, and its growth; ARGS=--quick to 1e6 events only.
	@$(BIN)/python -m bench.ledger $(ARGS)

bench-api: .venv/ready  ## Measure the aggregator's answers at 10,000 events a second.
	@$(BIN)/python -m bench.api $(ARGS)

bench-restart: .venv/ready  ## Measure the aggregator's restart: 10 million postings, and the programme's.
	@$(BIN)/python -m bench.restart $(ARGS)

bench-sheets: .venv/ready  ## Measure a workbook of 10,000 rows through a party: its dry run and its import.
	@$(BIN)/python -m bench.sheets $(ARGS)

bench-kernels: .venv/ready  ## Measure the windows against other libraries and one core's limits; ARGS=--quick is short, --write writes docs.
	@$(BIN)/python -m bench.kernels $(ARGS)

bench-scale: .venv/ready  ## Measure the cost by events, keys, windows and lateness; ARGS=--write writes docs.
	@$(BIN)/python -m bench.scale $(ARGS)

chaos: .venv/ready  ## Kill, stop, cut and fill up the real processes, and check the invariants; ARGS="--kills 3" is short.
	@$(BIN)/python -m tests.chaos $(ARGS)

abuse: .venv/ready  ## Abuse a real stack in every way that we know, and print what came of it: up to 10 minutes; ARGS="..." goes to pytest.
	@$(BIN)/pytest --quiet tests/abuse $(ARGS)

fuzz: .venv/ready  ## Fuzz the readers of entries, JSON, tapes and queries, a minute each; ARGS="--target tape --seconds 3600 --together".
	@$(BIN)/python -m tests.fuzz $(ARGS)

lock: .venv/ready  ## Lock the newest version of every package, on the oldest Python: PYTHON=python3.11 make lock.
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "lock: needs a .venv of Python 3.11: make clean; PYTHON=python3.11 make lock"; exit 1; }
	@echo "lock: resolving the newest versions, for all and for each service: about four minutes"
	@$(COMPILE) --upgrade --all-extras --output-file requirements.txt pyproject.toml
	@for service in $(SERVICES); do $(COMPILE) --extra $$service --constraint requirements.txt \
		--output-file deploy/requirements/$$service.txt pyproject.toml || exit 1; done

base-images:  ## Build the base images from Debian's packages, for use without an image registry; needs root.
	@deploy/airgap/build.sh $(ARGS)

wheels:  ## Fetch the packages of the images into deploy/airgap/wheels, for builds without a package index.
	@$(PYTHON) -m pip download --quiet --no-deps --only-binary :all: --require-hashes --python-version 3.13 \
		$(PLATFORMS:%=--platform %) --dest deploy/airgap/wheels $(SERVICES:%=--requirement deploy/requirements/%.txt)

images: $(IMAGES)  ## Build the images of all services; without a registry see docs/deployment.md.

$(IMAGES): image-%:
	@echo "building: waferline/$*:$(VERSION), up to a minute"
	@DOCKER_CLI_HINTS=false docker build --quiet --network host --file deploy/Dockerfile --target $(if $(filter operator,$*),operator,service) \
		$(WAFERLINE_PYTHON_IMAGE:%=--build-arg PYTHON=%) \
		--build-arg SERVICE=$* --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
		--tag waferline/$*:$(VERSION) . > /dev/null

pin:  ## Write the digests of the images that come from a registry to deploy/images.mk, which fixes them from then on.
	@deploy/pin.sh deploy/images.mk WAFERLINE_PYTHON_IMAGE=python:3.13-slim WAFERLINE_REDIS_IMAGE=redis:8 \
		WAFERLINE_POSTGRES_IMAGE=postgres:17 WAFERLINE_PROMETHEUS_IMAGE=prom/prometheus:v2.53.3 \
		WAFERLINE_GRAFANA_IMAGE=grafana/grafana:11.6.0

audit:  ## Ask whether any locked package has a known fault; says "not run" where nobody can be asked.
	@deploy/audit.sh $(PYTHON) requirements.txt

sbom: .venv/ready  ## List the Debian and Python packages of each image in build/sbom, as CycloneDX.
	@for service in $(SERVICES); do \
		$(BIN)/python deploy/sbom.py waferline/$$service:$(VERSION) build/sbom/$$service.json || exit 1; done

docs: .venv/ready  ## Build the documentation site into build/docs, and check every link.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:  ## Remove .venv, caches and compiled kernels; data stays.
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps, so that a change of a lint rule in pyproject.toml does not reinstall everything.

.venv/installed: requirements.txt
	@echo "installing: the packages of requirements.txt into .venv, about a minute"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "installing: needs Python 3.11, 3.12 or 3.13, for example: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --require-hashes -r requirements.txt
	@touch $@

.venv/ready: .venv/installed pyproject.toml
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@echo "compiling: the aggregator's kernels, some 20 seconds"
	@$(BIN)/python -c "import services.aggregator.app, services.aggregator.fold.instants"
	@touch $@
