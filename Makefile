# Everything a developer runs. Each target sets up what it needs; nothing is installed outside .venv
# but Debian's packages of witnesses.sh, which `setup-test` asks for where it may, and what Maven and npm keep
# for themselves. `make test PYTHON=3.13` takes that version of Python, if .venv is not made yet.

SHELL := /bin/bash
BIN := .venv/bin
SETUP := .venv/.setup-done
SETUP_DEMO := .venv/.setup-demo-done
SETUP_TEST := .venv/.setup-test-done
SETUP_BENCH := .venv/.setup-bench-done
SETUP_ENGINES := .venv/.setup-engines-done
SETUP_DIST := .venv/.setup-dist-done
SETUP_DOCS := .venv/.setup-docs-done
SETUP_CHARTS := .venv/.setup-charts-done
ENGINES := .venv/engines
DIST := .venv/dist
DOCS := .venv/docs
CHARTS := .venv/charts

.DEFAULT_GOAL := help
.PHONY: help setup setup-test setup-engines test-engines test-charts test-pydicom compiler witnesses demo test kafka viewer axe coverage check format fuzz fuzz-kernels trial-jpeg2000 bench docs changelog dist orthanc-plugin lock clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 16

setup: $(SETUP) ## make .venv and install the package into it

setup-test: compiler $(SETUP_TEST) witnesses kafka viewer axe ## the same with what the tests need

demo: $(SETUP_DEMO) ## convert real files and show that their pixels stay the same
	$(BIN)/python tools/demo.py

# One process more than there are processors, because many tests wait for servers.
test: setup-test check ## all checks and all tests, and the branches that some rooms' tests take
	$(BIN)/python -m pytest --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist worksteal
	$(BIN)/python tools/branch_coverage.py

setup-engines: $(SETUP_ENGINES) ## make .venv/engines with Ray, Spark and Beam (1.3 GB, minutes)

test-engines: setup-test $(SETUP_ENGINES) ## the tests of batches on Ray, and of the recipes for Spark and Beam
	DICODEC_TESTS_ENGINES=1 $(BIN)/python -m pytest tests/engines

test-charts: setup-test $(SETUP_CHARTS) ## the tests of Helm chart, compose file and image, in .venv/charts (500 MB)
	DICODEC_TESTS_CHARTS=1 $(BIN)/python -m pytest tests/deploy

test-pydicom: $(SETUP_TEST) ## pydicom's own tests of decoders and encoders, with our plugin chosen
	$(BIN)/python tools/pydicom_tests.py

coverage: $(SETUP_TEST) ## the branches that some rooms' own tests take, held to a floor
	$(BIN)/python tools/branch_coverage.py

check: $(SETUP_TEST) ## style, types, import contracts
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo

format: $(SETUP_TEST) ## put the code into shape
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

fuzz: setup-test ## damage N real files (3000) and judge N made ones (2000) by other readers
	$(BIN)/python tools/fuzz.py --cases $(or $(N),3000) --seconds $(if $(N),3600,120)
	$(BIN)/python tools/fuzz_differential.py --cases $(or $(N),2000) --seconds $(if $(N),36000,300)

fuzz-kernels: setup-test ## give N inputs (200000) to the kernels, under sanitizers
	$(BIN)/python tools/fuzz_kernels.py --inputs $(or $(N),200000) --seconds $(if $(N),36000,60)

trial-jpeg2000: setup-test ## compare N drawn streams (2000) of the kernel and of OpenJPEG
	$(BIN)/python tools/trial_jpeg2000.py --rounds $(or $(N),2000) --seconds $(if $(N),36000,120)

bench: setup-test $(SETUP_BENCH) bench/node_modules ## speed and memory, beside the peers (half an hour)
	$(BIN)/python bench/run.py $(ARGS)

docs: $(SETUP_DOCS) ## build the site of the docs into build/site; a wrong link fails
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --strict

dist: compiler $(SETUP_DIST) ## build wheels, source and SBOM of the last commit twice, and try them
	$(DIST)/bin/python tools/dist.py $(ARGS)

changelog: $(SETUP_DIST) ## move the fragments of changelog.d into CHANGELOG.md, under the version; ARGS=--draft shows them
	$(DIST)/bin/towncrier build --yes --version "$$($(DIST)/bin/python -c 'import runpy; print(runpy.run_path("src/dicodec/model/implementation.py")["VERSION"])')" $(ARGS)

orthanc-plugin: build/orthanc/libOrthancDicodec.so ## Orthanc's transcoder through a service (needs orthanc-dev)

build/orthanc/libOrthancDicodec.so: contrib/orthanc/dicodec_transcoder.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -O2 -Wall -Wextra -fPIC -shared -o $@ $<

lock: $(SETUP) ## pin what pyproject.toml asks for; ARGS=--upgrade takes the newest of everything
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/python tools/lock.py $(ARGS)

clean: ## remove the environment and all caches
	rm -rf .venv bench/node_modules build dist src/*.egg-info src/dicodec/_kernels/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

compiler:
	@tools/witnesses.sh compiler

witnesses:
	@tools/witnesses.sh

kafka: $(SETUP) witnesses
	@tools/kafka/fetch.sh .venv/kafka

axe: $(SETUP)
	@tools/axe/fetch.sh .venv/axe

viewer: $(SETUP) witnesses
	@tools/viewer/fetch.sh .venv/viewer

# Versions come from the locks alone; where packages come from is the machine's own pip configuration.
$(SETUP): requirements.lock pyproject.toml setup.py tools/make_venv.sh $(wildcard src/dicodec/_kernels/*.[ch])
	tools/make_venv.sh .venv $(PYTHON)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The files of the demonstration are those that pydicom ships.
$(SETUP_DEMO): $(SETUP) requirements-demo.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-demo.lock
	@touch $@

$(SETUP_TEST): $(SETUP_DEMO) requirements-test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.lock
	@touch $@

$(SETUP_BENCH): $(SETUP_TEST) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.lock
	@touch $@

# An environment beside .venv's own packages: its folder, and its lock.
define make_apart
	tools/make_venv.sh $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check -r $(2)
	@touch $@
endef

# An environment of its own: Beam wants older packages than the tests.
$(SETUP_ENGINES): $(SETUP) requirements-engines.lock
	$(call make_apart,$(ENGINES),$(lastword $^))

# An environment of its own: what builds a release should not hold what the tests need.
$(SETUP_DIST): $(SETUP) requirements-dist.lock
	$(call make_apart,$(DIST),$(lastword $^))

# An environment of its own: nothing else needs what draws the site.
$(SETUP_DOCS): $(SETUP) requirements-docs.lock
	$(call make_apart,$(DOCS),$(lastword $^))

# An environment of its own: Helm and the schemas of Kubernetes are large.
$(SETUP_CHARTS): $(SETUP) requirements-charts.lock
	$(call make_apart,$(CHARTS),$(lastword $^))

# A peer that runs under Node.js; where there is no npm, the tables say that it is not installed.
bench/node_modules: bench/package.json
	@if command -v npm >/dev/null; then \
	    npm install --prefix bench --no-package-lock --ignore-scripts --no-audit --no-fund --silent; \
	else echo "no npm: dcmjs-codecs is left out" >&2; fi
	@if [ -d $@ ]; then touch $@; fi
