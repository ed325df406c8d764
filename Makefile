PYTHON ?= python3
BIN := .venv/bin
SPEC ?= examples/race.yaml
REGISTRY ?= ghcr.io/cellwright
PYTHON_IMAGE ?=
BUILD_ARGS = $(if $(PYTHON_IMAGE),--build-arg PYTHON=$(PYTHON_IMAGE))
PYTHONS ?= 3.11 3.12 3.13
SHORT = tests/spec tests/spaces tests/strategies tests/training tests/cli/test_help.py tests/pipelines tests/test_*.py
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 $(UPGRADE) \
	--custom-compile-command 'make lock'
IMAGE_PLATFORM = --python-platform x86_64-manylinux_2_28
VERSION = $(shell sed -n 's/__version__ = "\(.*\)"/\1/p' src/cellwright/__init__.py)

.DEFAULT_GOAL := help
.PHONY: help run test chaos fuzz undone lint format types bench bench-nb201 bench-collapse bench-fashion bench-hand-designed bench-oneshot compile proto docs images test-cluster clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/ready ## Search, retrain, evaluate and register a network (SPEC=examples/race.yaml)
	$(BIN)/cellwright run $(SPEC)

test: .venv/ready ## Run the tests
	$(BIN)/pytest

test-pythons: .venv/ready ## Run a short part of the tests with each of PYTHONS (3.11 3.12 3.13), which must be on PATH
	for version in $(PYTHONS); do \
		$(BIN)/uv venv --quiet --allow-existing --python $$version build/python-$$version \
		&& $(BIN)/uv pip install --quiet --python build/python-$$version --require-hashes -r requirements/dev.txt \
		&& $(BIN)/uv pip install --quiet --python build/python-$$version --no-deps --no-build-isolation --editable . \
		&& build/python-$$version/bin/python --version && build/python-$$version/bin/pytest $(SHORT) || exit; \
	done

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

bench-oneshot: .venv/ready ## Rank what one-shot strategies find among all cells of NAS-Bench-201, hours; resumes (CIFAR=cifar10.tar.gz)
	$(BIN)/python -m benchmarks.one_shot_ranks --jobs 2 $(if $(CIFAR),--cifar $(CIFAR))

compile: .venv/ready ## Compile the pipeline of SPEC into pipeline.yaml
	$(BIN)/cellwright compile $(SPEC) -o pipeline.yaml

proto: ## Turn src/cellwright/katib/api.proto into Python; needs `pip install "grpcio-tools>=1.81,<1.82"`
	$(PYTHON) -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src src/cellwright/katib/api.proto

lock: ## Pin all packages with their hashes (requirements/*.txt); UPGRADE=--upgrade takes the newest that are allowed
	$(COMPILE) pyproject.toml --group dev --extra nasbench201 --universal -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra nasbench201 $(IMAGE_PLATFORM) -c requirements/dev.txt -o requirements/cellwright.txt
	$(COMPILE) requirements/build.in $(IMAGE_PLATFORM) -c requirements/dev.txt -o requirements/build.txt
	$(COMPILE) requirements/suggestion.in $(IMAGE_PLATFORM) -c requirements/dev.txt -o requirements/suggestion.txt
	$(COMPILE) requirements/docs.in --universal -o requirements/docs.txt
	$(COMPILE) requirements/serving.in $(IMAGE_PLATFORM) -c requirements/dev.txt -o requirements/serving.txt
	$(COMPILE) requirements/mlflow.in $(IMAGE_PLATFORM) -o requirements/mlflow.txt

notice: .venv/ready ## Write NOTICE, the licences of all packages in the images
	$(BIN)/uv pip install --quiet --target build/notice --require-hashes --requirement requirements/mlflow.txt
	PYTHONPATH=build/notice $(BIN)/python requirements/notice.py > NOTICE

audit: .venv/ready ## Ask the package index for known vulnerabilities of the locked packages
	$(BIN)/python requirements/audit.py

images: ## Build the container images, all that images/ has
	for image in $(notdir $(wildcard images/*)); do \
		DOCKER_BUILDKIT=1 docker build $(BUILD_ARGS) -f images/$$image/Dockerfile -t $(REGISTRY)/$$image:$(VERSION) . || exit; \
	done

release-images: ## Build, push and sign the images with SBOM and provenance, and print their digests (PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:…)
	case '$(PYTHON_IMAGE)' in *@sha256:*) ;; *) echo 'PYTHON_IMAGE must name a digest' >&2; exit 1;; esac
	mkdir -p build
	echo 'images:  # of the overlays' > build/digests.yaml
	for image in $(notdir $(wildcard images/*)); do \
		docker buildx build --sbom=true --provenance=mode=max --push --metadata-file build/$$image.json $(BUILD_ARGS) \
			-f images/$$image/Dockerfile -t $(REGISTRY)/$$image:$(VERSION) . \
		&& digest=$$(sed -n 's/.*"containerimage.digest": "\(.*\)".*/\1/p' build/$$image.json) \
		&& cosign sign --yes $(REGISTRY)/$$image@$$digest \
		&& echo "  - {name: $(REGISTRY)/$$image, digest: $$digest}" >> build/digests.yaml || exit; \
	done
	cat build/digests.yaml

release: .venv/ready ## Say what the release RELEASE=0.2.0 would do; DO=1 does it, PYTHON_IMAGE=… builds images too
	$(BIN)/python release.py $(RELEASE) $(if $(PYTHON_IMAGE),--python-image $(PYTHON_IMAGE)) $(if $(DO),--do)

chaos: .venv/ready ## Kill, freeze and damage 30 runs of a small pipeline on S3; needs versitygw on PATH
	$(BIN)/python -m tests.steps.chaos 30

fuzz: .venv/ready ## Mutate commands, files and environments for an hour; nothing may end in a traceback
	$(BIN)/python -m tests.fuzz --minutes 60 --seed $(shell date +%s)

undone: .venv/ready ## Take each protection away in a copy, and see that a test fails
	$(BIN)/python -m tests.undone

test-cluster: .venv/ready ## Run tests/cluster against the cluster that KUBECONFIG names
	$(BIN)/pytest -o addopts="-q --strict-markers" --timeout=900 tests/cluster

docs: build/docs/ready ## Build the site of docs/ into build/site; a broken link or a warning fails
	NO_MKDOCS_2_WARNING=1 build/docs/bin/mkdocs build --clean

build/docs/ready: requirements/docs.txt
	$(PYTHON) -m venv build/docs
	build/docs/bin/python -m pip install --quiet --require-hashes --requirement requirements/docs.txt
	touch $@

clean: ## Remove what make and Python left, but not ./runs
	rm -rf .venv build dist pipeline.yaml .*_cache .hypothesis src/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/ready: pyproject.toml requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, got " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
