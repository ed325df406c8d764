PYTHON ?= python3
BIN := .venv/bin
SPEC ?= examples/digits.yaml
VERSION = $(shell sed -n 's/__version__ = "\(.*\)"/\1/p' src/cellwright/__init__.py)

.DEFAULT_GOAL := help
.PHONY: help run test lint format types bench bench-nb201 bench-collapse bench-fashion bench-hand-designed compile proto images test-cluster clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/ready ## Search, retrain, evaluate and register a network (SPEC=examples/digits.yaml)
	$(BIN)/cellwright run $(SPEC)

test: .venv/ready ## Run the tests
	$(BIN)/pytest

lint: .venv/ready ## Check style and layers
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

format: .venv/ready ## Format the code and fix what lint can
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

types: .venv/ready ## Check the types
	$(BIN)/mypy

bench: .venv/ready ## Measure search steps beside a textbook supernet, 2 threads, about five minutes
	$(BIN)/python -m benchmarks.one_shot_steps
	$(BIN)/python -m benchmarks.retraining

bench-nb201: .venv/ready ## Compare sampled strategies on NAS-Bench-201, under ten minutes
	$(BIN)/python -m benchmarks.nasbench201

bench-collapse: .venv/ready ## Count how often searches collapse to skips, about half an hour on 2 cores; resumes where it stopped
	$(BIN)/python -m benchmarks.collapse --write

bench-fashion: .venv/ready ## Compare all strategies on Fashion-MNIST, over two hours on 2 cores; resumes where it stopped
	$(BIN)/python -m benchmarks.fashion_mnist --jobs 2

bench-hand-designed: .venv/ready ## Compare networks designed by hand, a day on one core; resumes where it stopped (CIFAR=cifar10.tar.gz)
	$(BIN)/python -m benchmarks.hand_designed --write $(if $(CIFAR),--cifar $(CIFAR))

compile: .venv/ready ## Compile the pipeline of SPEC into pipeline.yaml
	$(BIN)/cellwright compile $(SPEC) -o pipeline.yaml

proto: ## Turn src/cellwright/katib/api.proto into Python; needs `pip install "grpcio-tools>=1.81,<1.82"`
	$(PYTHON) -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src src/cellwright/katib/api.proto

images: ## Build the container images, all that images/ has
	for image in $(notdir $(wildcard images/*)); do \
		DOCKER_BUILDKIT=1 docker build -f images/$$image/Dockerfile -t ghcr.io/cellwright/$$image:$(VERSION) . || exit; \
	done

test-cluster: .venv/ready ## Run tests/cluster against the cluster that KUBECONFIG names
	$(BIN)/pytest -o addopts="-q --strict-markers" --timeout=900 tests/cluster

clean: ## Remove what make and Python left, but not ./runs
	rm -rf .venv build dist pipeline.yaml .*_cache .hypothesis src/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, got " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@
