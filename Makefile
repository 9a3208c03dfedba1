# What a person or CI does here, a verb each. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Where it is set, the SDKs are compiled in every process anew: seconds each time.
unexport PYTHONDONTWRITEBYTECODE

SHELL_FILES := tools/env tools/install tools/yard tools/docker-engine .ci/run $(wildcard app/scripts/*.sh)
VENV := .venv/.ready
CLI := .tools/.pulumi
# One for each core, and three for the live tests and Swarm's, which wait most of the time: for Docker, and the cluster.
TEST_WORKERS = $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 3)))

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: env
env: $(VENV) $(CLI) ## set up: .venv with the command yard, and the Pulumi CLI

PREFIX ?= $(HOME)/.local

.PHONY: install
install: env ## put the command yard into ~/.local/bin, or PREFIX=...: it runs the program of the project you are in
	@tools/install "$(PREFIX)/bin"

.PHONY: up
up: env ## build the example, push it, run it on this machine's Docker, call it
	@.venv/bin/yard up

.PHONY: down
down: env ## remove all that `make up` made
	@.venv/bin/yard down --yes

.PHONY: pack
pack: $(VENV) ## set up the policy pack, for `pulumi up --policy-pack policy`
	@.venv/bin/python -m tools.pack

.PHONY: axe
axe: $(VENV) ## set up axe-core, which looks at pages for what keeps people from using them
	@.venv/bin/python -m tools.axe

.PHONY: test
test: env pack axe need-go ## every test; the live ones where Docker, a registry, Kubernetes are (SWITCHYARD_LIVE=1: they must be)
	cd app && go test -timeout 2m ./...
	.venv/bin/python -m pytest --numprocesses $(TEST_WORKERS) \
		tests/live tests/conformance tests/engine tests/commands tests/unit

.PHONY: roles
roles: env ## the role that deploys, over every switch and every registry; `make test` tries two. About 5 minutes
	SWITCHYARD_EVERY=1 .venv/bin/python -m pytest --numprocesses auto tests/engine/test_deploy_role.py -k ask_for

.PHONY: fuzz
fuzz: env ## 10,000 wrong configurations and 1,000 odd ones through the whole program, and 100 switched; an hour
	SWITCHYARD_FUZZ=10000 .venv/bin/python -m pytest --capture=no tests/conformance/test_fuzz.py tests/engine/test_odd_ones.py

.PHONY: faults
faults: env ## something goes wrong at every call of every switch, the engine is killed between any two; an hour
	.venv/bin/python -m pytest --numprocesses auto -rP tests/engine/every_fault.py

.PHONY: kube
kube: $(VENV) need-go ## build Kubernetes, for the live tests that need a cluster; once, about 10 minutes
	@.venv/bin/python -m tools.kube

.PHONY: proxy
proxy: $(VENV) need-go ## build Traefik, for the edge proxy where its image cannot be pulled; once, about 2 minutes
	@.venv/bin/python -m tools.proxy

.PHONY: load
load: $(VENV) need-go ## build what `yard rehearse --load` takes, Traefik and Vegeta; once, about 3 minutes
	@.venv/bin/python -m tools.load >/dev/null

.PHONY: unit
unit: $(VENV) ## the quick tests, without an engine
	.venv/bin/python -m pytest --numprocesses auto tests/unit

.PHONY: check
check: $(VENV) need-go ## formats, lints, types, layers, generated documents: nothing is changed
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache --no-logo
	@unformatted=$$(gofmt -l app tools); [[ -z $$unformatted ]] || { echo "gofmt -w is needed: $$unformatted" >&2; exit 1; }
	cd app && go vet ./...
	for file in $(SHELL_FILES); do bash -n "$$file"; done
	if command -v shellcheck >/dev/null; then shellcheck $(SHELL_FILES); fi
	.venv/bin/python -m tools.docs --check
	.venv/bin/python -m tools.workflows

.PHONY: audit
audit: $(VENV) need-go ## list what this is made of, and ask about known weaknesses; skips what cannot be reached
	@.venv/bin/python -m tools.audit

.PHONY: docs
docs: $(VENV) ## write the generated documents anew
	.venv/bin/python -m tools.docs

.PHONY: site
site: $(VENV) ## the documents as a site with a search; a link that leads nowhere fails
	@.venv/bin/python -m tools.site

.PHONY: pictures
pictures: env ## run and rehearse for real, and write the pictures of README and pages
	.venv/bin/python -m tools.pictures

.PHONY: snapshots
snapshots: $(VENV) ## write anew what commands print, as the tests hold it; look at the difference
	SWITCHYARD_SNAPSHOTS=1 .venv/bin/python -m pytest -q tests/commands/test_snapshots*.py

.PHONY: bench
bench: env ## measure, and write the figures to benchmarks/README.md
	.venv/bin/python -m benchmarks

.PHONY: bench-load
bench-load: env need-go ## REQUESTS=100000 through real switches, RATE=500 a second. Needs make kube, make proxy
	SWITCHYARD_LIVE=1 SWITCHYARD_REQUESTS=$(or $(REQUESTS),100000) SWITCHYARD_RATE=$(or $(RATE),500) \
		.venv/bin/python -m pytest -q -s tests/live/bench_load.py

.PHONY: bench-faults
bench-faults: env need-go ## what callers lose when something goes wrong in a switch, at RATE=200 a second; an hour
	SWITCHYARD_LIVE=1 SWITCHYARD_RATE=$(or $(RATE),200) \
		.venv/bin/python -m pytest -q -s tests/live/bench_faults.py tests/live/bench_changes.py

.PHONY: bench-rehearsal
bench-rehearsal: env load ## requests through each switch on the rehearsed AWS, REQUESTS=100000 in each at RATE=500 a second
	SWITCHYARD_REQUESTS=$(or $(REQUESTS),100000) SWITCHYARD_RATE=$(or $(RATE),500) \
		.venv/bin/python -m pytest -q -s tests/engine/bench_rehearsal.py

.PHONY: lock
lock: ## pin pyproject.toml's needs in requirements.txt; UPGRADE=1 takes newer versions
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev \
		$(if $(UPGRADE),--upgrade) --output-file requirements.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		$(if $(UPGRADE),--upgrade) --output-file policy/requirements.txt policy/requirements.in

.PHONY: clean
clean: ## remove what was installed and built here; stacks and their state stay (make down)
	tools/docker-engine stop
	if [[ -d .tools/kube/run ]]; then .venv/bin/python -m tools.kube stop; fi
	rm -rf .venv policy/.venv .tools app/bin .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: need-go
need-go:
	@command -v go >/dev/null || { echo "Go is needed for the example service: https://go.dev/dl/" >&2; exit 1; }

# The stamps are made anew when what they stand for has gone: .venv with another checkout, the CLI by an uninstall.
.PHONY: gone
$(VENV): requirements.txt pyproject.toml tools/env $(if $(shell [[ "$$(cat .venv/.ready 2>&1)" == "$$PWD" && -x .venv/bin/yard ]] || echo gone),gone)
	@tools/env

$(CLI): tools/pulumi_cli.py tools/build.py tools/pulumi/go.mod tools/pulumi/go.sum $(if $(shell [[ -x .tools/bin/pulumi ]] || echo gone),gone) | $(VENV)
	@.venv/bin/python -m tools.pulumi_cli
	@touch $@
