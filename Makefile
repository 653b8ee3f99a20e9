# Everything one does with Waferline. `make` alone lists the targets.

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
COMPILE := env -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
SERVICES := ledger aggregator console supplier datacenter operator
IMAGES := $(SERVICES:%=image-%)
PLATFORMS := $(patsubst %,manylinux_2_%_x86_64,17 27 28 34) manylinux2014_x86_64
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
COMPILED := kernel or curves or planning or netting or pegging or performance or rolling or instants
BOUNDS := NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=.venv/boundscheck

COMPOSE_COMMAND := $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
COMPOSE := $(COMPOSE_COMMAND) --file docker-compose.yml $(if $(TLS),--file deploy/tls.yml) $(PROFILES:%=--profile %)
ASK := $(COMPOSE) --profile tools run --rm --no-deps -T operator
SECRETS := mkdir -p deploy/secrets && docker run --rm --network none --user "$$(id -u):$$(id -g)" \
	--volume "$(CURDIR)/deploy/secrets:/secrets" waferline/operator:$(VERSION) secrets --to /secrets

export WAFERLINE_VERSION := $(VERSION)
export COMPOSE_PROJECT_NAME ?= waferline
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DELETE_ON_ERROR:
.PHONY: help demo demo-compose up down status logs ask secrets backup restore check test test-compose test-containers test-browser screenshots docs simulate chaos format contracts tape bench-path bench-ledger bench-api bench-restart bench-kernels bench-scale lock base-images wheels images $(IMAGES) sbom clean
.DEFAULT_GOAL := help

help:  ## List the targets.
	@awk -F ':.*##' '/^[a-z-]+:.*##/ { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready  ## Run the reference programme on this machine and show its balances; ARGS="..." is passed on.
	@$(BIN)/waferline demo $(ARGS)

up: images deploy/secrets/users.acl  ## Run everything in containers, and return when all are well; TLS=1 encrypts, PROFILES="monitoring" adds.
	@$(COMPOSE) up --detach
	@deploy/healthy.sh $(COMPOSE)

down:  ## Stop the containers; what they keep stays in their volumes. ARGS=--volumes takes it away, too.
	@$(COMPOSE) down $(ARGS)

status:  ## Show each container, and how far each service is.
	@$(COMPOSE) ps
	@$(ASK) status $(ARGS)

logs:  ## Sum up what the containers have logged; ARGS="--follow", ARGS="--since 10m", ARGS=--check.
	@$(COMPOSE) logs --no-log-prefix --no-color | $(ASK) logs $(ARGS) -

ask:  ## Ask the running containers: ARGS="shortages --why".
	@$(ASK) $(ARGS)

demo-compose: images  ## Run the reference programme in containers, and show its balances: those of `make demo`.
	@deploy/demo.sh $(COMPOSE_COMMAND)

secrets: image-operator  ## Make the secrets of a deployment that are missing in deploy/secrets; ARGS="--renew NAME" makes one anew.
	@$(SECRETS) $(ARGS)

deploy/secrets/users.acl: | image-operator
	@$(SECRETS)

backup:  ## Copy the running store, streams, outboxes and checkpoints to TO=folder, backups/<UTC time> by default.
	@deploy/backup.sh "$(or $(TO),backups/$(shell date -u +%Y-%m-%dT%H%M%SZ))" $(COMPOSE)

restore:  ## Put a backup back where the store is empty, and start all: FROM=folder; OLDER=1 gives up what came after it.
	@deploy/restore.sh "$(FROM)" $(if $(OLDER),--older) $(COMPOSE)

check: .venv/ready  ## Check format, lint, types, who imports whom, the domain and the wire: before every commit.
	@$(BIN)/ruff format --quiet --check . || { echo "format: run 'make format'"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > .venv/imports.txt || { cat .venv/imports.txt; exit 1; }
	@$(BIN)/pytest --quiet tests/unit tests/contracts

test: .venv/ready  ## Run every test, and the kernels' once more with their array bounds checked; ARGS="..." goes to pytest.
	@$(BIN)/pytest --quiet $(ARGS)
	@$(BOUNDS) $(BIN)/pytest --quiet tests/unit -k "$(COMPILED)"

test-compose: .venv/ready images  ## Break the containers while they play, and try who is let in: 6 minutes; ARGS="..." goes to pytest.
	@$(BIN)/pytest --quiet tests/compose $(ARGS)

test-containers: .venv/ready  ## Run the end-to-end tests on Redis and PostgreSQL in containers of the deployment's images.
	@WAFERLINE_TEST_CONTAINERS=1 $(BIN)/pytest --quiet tests/e2e $(ARGS)

test-browser: .venv/ready  ## Try the planner's page in Chromium (apt-get install chromium): 2 minutes; ARGS="..." goes to pytest.
	@$(BIN)/pytest --quiet tests/browser $(ARGS)

screenshots: .venv/ready  ## Play the programme, and take pictures of the planner's page into docs/pictures.
	@$(BIN)/python -m tests.browser.screenshots

simulate: .venv/ready  ## Live through 10,000 worlds in which everything goes wrong by seed; ARGS="--seed 7" shows one.
	@$(BIN)/python -m tests.simulation $(ARGS)

format: .venv/ready  ## Format the code, and repair what lint can repair.
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

contracts: .venv/ready  ## Write contracts/ and the generated pages in docs/ anew from the code; a diff is a change of contract.
	@$(BIN)/python -m services.operator.docs

tape: .venv/ready  ## Record the kept tape and its state hash anew; a diff means that a balance has changed.
	@$(BIN)/python -m tests.replay.tape

bench-path: .venv/ready  ## Measure the whole path from an event to its balance.
	@$(BIN)/python -m bench.path $(ARGS)

bench-ledger: .venv/ready  ## Measure the ledger alone against others, and as it grows; ARGS=--quick to 1e6 events only.
	@$(BIN)/python -m bench.ledger $(ARGS)

bench-api: .venv/ready  ## Measure the aggregator's answers while 10,000 events a second come in.
	@$(BIN)/python -m bench.api $(ARGS)

bench-restart: .venv/ready  ## Measure how soon the aggregator has its state again: 10 million postings, and the programme's.
	@$(BIN)/python -m bench.restart $(ARGS)

bench-kernels: .venv/ready  ## Measure the windows against others and one core's limits; ARGS=--quick is short, --write writes.
	@$(BIN)/python -m bench.kernels $(ARGS)

bench-scale: .venv/ready  ## Measure how cost grows with events, keys, windows and lateness; ARGS=--write writes it down.
	@$(BIN)/python -m bench.scale $(ARGS)

chaos: .venv/ready  ## Kill, stop, cut and fill up the real processes, and check what must hold; ARGS="--kills 3" is short.
	@$(BIN)/python -m tests.chaos $(ARGS)

lock: .venv/ready  ## Choose the newest of every package anew, on the oldest Python: PYTHON=python3.11 make lock.
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| { echo "lock: needs a .venv of Python 3.11: make clean; PYTHON=python3.11 make lock"; exit 1; }
	@echo "lock: asking for the newest of every package, and which of them each service loads: about four minutes"
	@$(COMPILE) --upgrade --all-extras --output-file requirements.txt pyproject.toml
	@for service in $(SERVICES); do $(COMPILE) --extra $$service --constraint requirements.txt \
		--output-file deploy/requirements/$$service.txt pyproject.toml || exit 1; done

base-images:  ## Build the images that ours rest on from Debian's packages, where no registry is reached; needs root.
	@deploy/airgap/build.sh $(ARGS)

wheels:  ## Fetch the packages of the images into deploy/airgap/wheels, where a build does not reach them itself.
	@$(PYTHON) -m pip download --quiet --no-deps --only-binary :all: --require-hashes --python-version 3.13 \
		$(PLATFORMS:%=--platform %) --dest deploy/airgap/wheels $(SERVICES:%=--requirement deploy/requirements/%.txt)

images: $(IMAGES)  ## Build the images of all services; see docs/deployment.md for where there is no registry.

$(IMAGES): image-%:
	@echo "building: waferline/$*:$(VERSION), up to a minute"
	@DOCKER_CLI_HINTS=false docker build --quiet --network host --file deploy/Dockerfile --target $(if $(filter operator,$*),operator,service) \
		--build-arg SERVICE=$* --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
		--tag waferline/$*:$(VERSION) . > /dev/null

sbom: .venv/ready  ## Write what is in each image, every Debian and Python package, into build/sbom as CycloneDX.
	@for service in $(SERVICES); do \
		$(BIN)/python deploy/sbom.py waferline/$$service:$(VERSION) build/sbom/$$service.json || exit 1; done

docs: .venv/ready  ## Build the documentation site into build/docs, every link checked.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean:  ## Remove what was made here: .venv, caches, compiled kernels. Data stays.
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps: a change of a lint rule in pyproject.toml does not install everything anew.

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
