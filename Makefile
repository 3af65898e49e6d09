# Everything a newcomer types. Each target makes the environment it needs (.venv) on its own;
# a second run finds it ready. Needed beforehand: make, Python 3.11 or later, the package registry.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
# Quix Streams wants other versions of some libraries than Headroom: it gets a place of its own.
BENCH_VENV := .venv-bench
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Directories that hold code; those that do not exist (yet) are left out.
CODE := $(wildcard headroom schemas producers processors tests benchmarks hatch_build.py docs/pictures/make.py docs/pictures/page.py)
# What is compiled where there is a C compiler, and what compiles it.
COMPILED := $(wildcard */compiled/*.pyx */compiled/*.pxd) hatch_build.py
UV_VERSION := 0.13.9
CYCLONEDX_VERSION := 7.5.0
PIP_AUDIT_VERSION := 2.10.1
HELM_VERSION := v3.19.0
KUBECONFORM_VERSION := v0.7.0
KUBE_SCORE_VERSION := v1.20.0
# The newest that Python 3.11 takes: of KEDA 2.16 and Prometheus' operator 0.80.
MODELS := cloudcoil-models-keda==2.16.1.0 cloudcoil-models-prometheus-operator==0.80.1.0
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --extra local --extra traces --group build
# What an image holds: nothing that starts a Kafka, so no Java. What builds it stays behind.
IMAGE_LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links
# Of what Headroom itself needs only msgspec is taken along, at the very same version.
BENCH_LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --group bench -c $(VENV)/bench-constraints.txt
ARGS ?=

# help: this list
.PHONY: help
help:
	@sed -n 's/^# \([a-z][a-z-]*\): \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

# demo: a real Kafka, both venues simulated, producers and a worker (ARGS="--for 30 --json")
.PHONY: demo
demo: $(VENV)/.runtime-stamp
	@$(BIN)/headroom demo $(ARGS)

# test: the tests, on a real Kafka, without the longest (make chaos PART=long) (ARGS="-k amounts" chooses; ARGS="-n 0" is one after the other)
.PHONY: test
test: $(VENV)/.trained-stamp
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

# check: form, lint, types, walls between rooms, declared dependencies; all of them, then the verdict
.PHONY: check
check: $(VENV)/.dev-stamp
	@status=0; run() { echo "+ $$*"; "$$@" || status=1; }; \
	run $(BIN)/ruff format --check $(CODE); \
	run $(BIN)/ruff check $(CODE); \
	run $(BIN)/mypy; \
	run $(BIN)/lint-imports; \
	run $(BIN)/deptry .; \
	if [ -d tests/check ]; then run $(BIN)/python -m pytest -q tests/check; fi; \
	exit $$status

# fmt: put the code into its form, mend what can be mended
.PHONY: fmt
fmt: $(VENV)/.dev-stamp
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

# lock: make the lock files anew from pyproject.toml (ARGS=--upgrade: with newer versions)
.PHONY: lock
lock: $(VENV)/.uv-stamp
	$(VENV)/uv/bin/uv pip compile $(LOCK) $(ARGS) pyproject.toml -o requirements.lock
	$(VENV)/uv/bin/uv pip compile $(LOCK) $(ARGS) --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(VENV)/uv/bin/uv pip compile $(IMAGE_LOCK) --extra traces $(ARGS) -c requirements.lock pyproject.toml -o requirements-image.lock
	$(VENV)/uv/bin/uv pip compile $(IMAGE_LOCK) $(ARGS) -c requirements.lock --group build -o requirements-build.lock
	$(VENV)/uv/bin/uv pip compile $(IMAGE_LOCK) $(ARGS) -c requirements-dev.lock --group chart -o requirements-chart.lock
	@! grep -nE '://|--(extra-)?index-url|--find-links' requirements*.lock \
	  || { echo 'lock: an address in a lock file' >&2; exit 1; }

# sbom: a bill of materials of the image's Python packages (CycloneDX, build/headroom.cdx.json), of the lock file
SBOM := build/headroom.cdx.json
.PHONY: sbom
sbom: $(VENV)/.cyclonedx-stamp
	@mkdir -p $(dir $(SBOM))
	@$(VENV)/cyclonedx/bin/python -W ignore::UserWarning -m cyclonedx_py requirements --output-reproducible \
	  --short-PURLs --pyproject pyproject.toml -o $(SBOM) requirements-image.lock
	@locked=$$(grep -cE '^[A-Za-z0-9]' requirements-image.lock); told=$$(grep -c '"purl": "pkg:pypi/.*@' $(SBOM)); \
	  [ "$$told" = "$$locked" ] || { echo "sbom: $$told of $$locked packages are in it" >&2; exit 1; }; \
	  echo "$(SBOM): $$told packages"

# audit: whether known weaknesses are in what the image holds; asks the registry, and fails where it cannot
.PHONY: audit
audit: $(VENV)/.pip-audit-stamp
	@$(VENV)/pip-audit/bin/pip-audit --strict --disable-pip --progress-spinner off $(ARGS) \
	  -r requirements-image.lock -r requirements-build.lock \
	  || { echo 'audit: something was found, or could not be asked for (see above): nothing is vouched for' >&2; exit 1; }

# chart: the Helm chart linted, rendered and checked, by Helm, kubeconform and kube-score built with Go (minutes, once)
CHART_TOOLS := $(or $(HEADROOM_CACHE_DIR),$(HOME)/.cache/headroom)/go/helm-$(HELM_VERSION)-kubeconform-$(KUBECONFORM_VERSION)-kube-score-$(KUBE_SCORE_VERSION)
.PHONY: chart
chart: $(VENV)/.chart-stamp $(VENV)/.models-stamp $(CHART_TOOLS)/.stamp
	@HEADROOM_CHART_TOOLS=$(CHART_TOOLS) HEADROOM_CHART_MODELS=$(VENV)/models/bin/python $(BIN)/python -m pytest -rs tests/chart $(ARGS)

$(CHART_TOOLS)/.stamp:
	@command -v go >/dev/null || { echo 'chart: Go is missing, and Helm is built with it' >&2; exit 1; }
	@echo 'building Helm, kubeconform and kube-score (once)'
	@GOBIN=$(CHART_TOOLS) go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)
	@GOBIN=$(CHART_TOOLS) go install github.com/yannh/kubeconform/cmd/kubeconform@$(KUBECONFORM_VERSION)
	@GOBIN=$(CHART_TOOLS) go install github.com/zegl/kube-score/cmd/kube-score@$(KUBE_SCORE_VERSION)
	@touch $@

# The schemas of Kubernetes: 100 MB that only this needs.
$(VENV)/.chart-stamp: requirements-chart.lock $(VENV)/.dev-stamp
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements-chart.lock
	@touch $@

# pictures: the README's, taken of demos that run (minutes; those of the page need Chromium)
.PHONY: pictures
pictures: $(VENV)/.dev-stamp
	@PYTHONPATH=. $(BIN)/python docs/pictures/make.py

# bench: the same job in Headroom and its peers, measured (PART=users, mixed, producer, restore, http, …; ARGS="--help" tells them; takes a while)
.PHONY: bench
bench: $(VENV)/.dev-stamp $(BENCH_VENV)/.stamp
	@$(BIN)/python -m benchmarks $(filter-out engine,$(PART)) $(ARGS)

# chaos: workers and the broker killed, paused, moved, and an oracle over it (SEEDS=100 FIRST=1 GUARANTEE=exactly_once; PART=network, replay, operators, producers, fuzz, cluster, long)
SEEDS ?= 100
FIRST ?= 1
PART ?= engine
.PHONY: chaos
chaos: $(VENV)/.trained-stamp
	@if [ "$(PART)" = replay ]; then exec $(BIN)/python -m tests.headroom.operate.replay.million $(ARGS); fi; \
	if [ "$(PART)" = producers ]; then exec $(BIN)/python -m tests.producers_chaos --seeds $(SEEDS) --first $(FIRST) $(ARGS); fi; \
	if [ "$(PART)" = fuzz ]; then exec $(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS); fi; \
	if [ "$(PART)" = operators ]; then exec $(BIN)/python -m tests.operators $(ARGS); fi; \
	if [ "$(PART)" = cluster ]; then exec $(BIN)/python -m pytest --timeout 900 tests/secured $(ARGS); fi; \
	if [ "$(PART)" = long ]; then \
	  exec $(BIN)/python -m pytest -m "long or hypothesis" --hypothesis-profile=long $(ARGS); fi; \
	$(BIN)/python -m tests.engine.chaos --seeds $(SEEDS) --first $(FIRST) --part $(PART) \
	  $(if $(GUARANTEE),--guarantee $(GUARANTEE)) $(ARGS)

# lock-bench: make requirements-bench.lock and the locks of the benchmark's jars anew
.PHONY: lock-bench
lock-bench: $(VENV)/.uv-stamp $(VENV)/.dev-stamp
	grep -E '^msgspec==' requirements.lock | sed 's/ .*//' > $(VENV)/bench-constraints.txt
	$(VENV)/uv/bin/uv pip compile $(BENCH_LOCK) $(ARGS) -o requirements-bench.lock
	@! grep -nE '://|--(extra-)?index-url|--find-links' requirements-bench.lock \
	  || { echo 'lock-bench: an address in a lock file' >&2; exit 1; }
	$(BIN)/python -m benchmarks.streams.lock

# lock-kafka: make headroom/local/kafka/jgo.lock.toml (the jars' sums) anew from headroom/local/kafka/jgo.toml
.PHONY: lock-kafka
lock-kafka: $(VENV)/.runtime-stamp
	$(BIN)/python -m headroom.local.kafka.lock

# lock-interop: make the locks of tests/interop (other people's clients) anew; needs npm
INTEROP := tests/interop/peers
.PHONY: lock-interop
lock-interop: $(VENV)/.uv-stamp $(VENV)/.dev-stamp
	cd $(INTEROP) && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
	$(VENV)/uv/bin/uv pip compile $(IMAGE_LOCK) $(ARGS) $(INTEROP)/requirements.in -o $(INTEROP)/requirements.lock
	$(BIN)/python -c 'import tests.interop.peers as peers; peers.lock_jars()'
	@! grep -nE '"resolved"|--(extra-)?index-url|--find-links' $(INTEROP)/*lock* \
	  || { echo 'lock-interop: an address in a lock file' >&2; exit 1; }

# clean: remove what make made (the jars in the user's cache stay)
.PHONY: clean
clean:
	rm -rf $(VENV) $(BENCH_VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	rm -f */compiled/*.so */compiled/*.c
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- set-up: chatter goes to standard error, so that a command's own output stays clean

# The first Python that is new enough; `make PYTHON=/path/to/python3.12 …` names one.
PYTHON ?=
$(BIN)/python:
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "make: $$python cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv" >&2; exit 2; }; \
	  echo "making $(VENV) with $$("$$python" --version)" >&2; \
	  exec "$$python" -m venv --clear $(VENV) >&2; \
	done; \
	echo 'make: Headroom needs Python 3.11 or later: $(or $(PYTHON),python3) is missing or older; name one with PYTHON=/path/to/python3' >&2; exit 2

# Of a lock, and Headroom itself. The hook is called before pip calls it, because pip would keep
# to itself what it says.
define install
	@echo 'installing from $(1) (once)' >&2
	@$(PIP) install --quiet --require-hashes -r $(1) >&2
	@$(BIN)/python hatch_build.py >&2
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index -e . >&2
endef

# Nothing is installed anew where only what is compiled has changed.
compile_only = $(if $(filter-out $(COMPILED),$?),,yes)

# The stamps are written last: an interrupted set-up is simply done again.
$(VENV)/.runtime-stamp: requirements.lock pyproject.toml $(COMPILED) | $(BIN)/python
	$(if $(compile_only),@$(BIN)/python hatch_build.py >&2,$(call install,requirements.lock))
	@touch $@

# The development lock holds the runtime's too, at the same versions.
$(VENV)/.dev-stamp: requirements-dev.lock requirements.lock pyproject.toml $(COMPILED) | $(BIN)/python
	$(if $(compile_only),@$(BIN)/python hatch_build.py >&2,$(call install,requirements-dev.lock))
	@touch $(VENV)/.runtime-stamp $@

# Brokers that are started by the dozen start sooner with what one of them has learned; where that
# does not work they start as always.
$(VENV)/.trained-stamp: headroom/local/kafka/jgo.lock.toml $(VENV)/.dev-stamp
	@$(BIN)/python -m headroom.local.kafka.training || echo 'Kafka starts as always' >&2
	@touch $@

$(BENCH_VENV)/.stamp: requirements-bench.lock | $(BIN)/python
	@echo 'installing from requirements-bench.lock (once)' >&2
	@$(BIN)/python -m venv --clear $(BENCH_VENV) >&2
	@echo '*' > $(BENCH_VENV)/.gitignore
	@$(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
	  --require-hashes -r requirements-bench.lock >&2
	@touch $@

# Tools with dependencies of their own: each in a place of its own, pinned as uv is.
$(VENV)/.cyclonedx-stamp: Makefile | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/cyclonedx >&2
	@$(VENV)/cyclonedx/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==$(CYCLONEDX_VERSION) >&2
	@touch $@

$(VENV)/.models-stamp: Makefile | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/models >&2
	@$(VENV)/models/bin/python -m pip install --quiet --disable-pip-version-check $(MODELS) >&2
	@touch $@

$(VENV)/.pip-audit-stamp: Makefile | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/pip-audit >&2
	@$(VENV)/pip-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==$(PIP_AUDIT_VERSION) >&2
	@touch $@

$(VENV)/.uv-stamp: Makefile | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/uv >&2
	@$(VENV)/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) >&2
	@touch $@
