# Everything a developer runs. Each target makes .venv and installs into it what is still missing.
#   PYTHON=python3.12 make test     another interpreter (3.11 or newer)
#   KERAS_BACKEND=torch make demo   another engine

PYTHON ?= python3
ENGINE := $(or $(KERAS_BACKEND),jax)

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
INSTALLING = @echo "Installing $(1) into $(VENV) ..."
STAMPS := $(VENV)/.installed
NO_MLX := echo "MLX has no wheel for `uname -sm` and `$(PY) -V`: its tests cannot run here." >&2
# These say what is installed: a change of either installs again.
NEEDS := pyproject.toml constraints.txt
EXTRAS := jax tensorflow-cpu demo dev oracle

# Two run at a time: the longest first. What has a folder plugins/keraslite-* comes from there.
ENGINES := jax tensorflow torch mlx numpy
SUITES := $(ENGINES) integration
TEST_NEEDS := $(addprefix $(STAMPS)/,torch jax tensorflow oracle tf_keras dev mlx)
# numpy does not train.
BENCHMARKS := import call $(if $(filter numpy,$(ENGINE)),,fit)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test $(SUITES:%=test-%) check lint types format bench clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## demo          train on real digits, plot, save, reload (KERAS_BACKEND picks the engine)
demo: $(STAMPS)/core $(STAMPS)/$(ENGINE) $(STAMPS)/demo
	KERAS_BACKEND=$(ENGINE) $(PY) examples/demo_mnist.py

## test          everything: lint, types, the tests on each engine, whole programs
test: $(TEST_NEEDS)
	@checked=0; $(MAKE) --no-print-directory --keep-going check || checked=1; \
	$(PY) tools/run_tests.py $(SUITES:mlx=$$(cat $(STAMPS)/mlx)) || exit 1; \
	test $$checked = 0 || { echo "The tests pass; \`make check\` does not: see the top." >&2; exit 1; }

## test-jax      the tests on one engine; also test-torch, test-tensorflow, test-numpy
## test-mlx      the conformance kit, and its own tests, on the engine of plugins/keraslite-mlx
## test-integration   whole programs, the built wheel, interchange with Keras
$(SUITES:%=test-%): test-%: $(TEST_NEEDS)
	@test $* != mlx || test -s $(STAMPS)/mlx || { $(NO_MLX); exit 1; }
	$(PY) tools/run_tests.py $*

## check         lint and types
check: lint types

## lint          style, format, and who may import whom
lint: $(STAMPS)/dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-cache

## types         the type checker
types: $(STAMPS)/dev
	$(PY) -m mypy

## format        format, and mend what ruff can mend
format: $(STAMPS)/dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

## bench         measure against the engine's own loop and against Keras (KERAS_BACKEND)
bench: $(STAMPS)/$(ENGINE) $(STAMPS)/dev $(STAMPS)/oracle
	@set -e; for what in $(BENCHMARKS); do \
		$(PY) -m benchmarks $$what --engine $(ENGINE); \
	done

## clean         remove all that these targets made, .venv too
clean:
	rm -rf $(VENV) build dist demo_output *.egg-info plugins/*/*.egg-info plugins/*/build
	rm -rf .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installing ----------------------------------------------------------------------------------

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "keraslite needs Python 3.11 or newer; \`$(PYTHON)\` is $$($(PYTHON) --version 2>&1 | head -n 1)." \
			"Name another one: PYTHON=python3.12 make ..." >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/core: $(STAMPS)/venv $(NEEDS)
	$(call INSTALLING,keraslite)
	@$(PIP) --editable .
	@touch $@

# torch by itself and before all that could ask for it, so that pip takes exactly this build.
$(STAMPS)/torch: $(STAMPS)/core
	$(call INSTALLING,torch)
	@$(PIP) torch
	@touch $@

$(STAMPS)/tensorflow: $(STAMPS)/tensorflow-cpu
	@touch $@

$(EXTRAS:%=$(STAMPS)/%): $(STAMPS)/%: $(STAMPS)/core
	$(call INSTALLING,what \`$*\` needs)
	@$(PIP) --editable ".[$*]"
	@touch $@

# Keras 2, which writes files for tests. It asks for `tensorflow`, which would lie over tensorflow-cpu.
$(STAMPS)/tf_keras: $(STAMPS)/oracle
	$(call INSTALLING,tf_keras)
	@$(PIP) --no-deps tf_keras
	@touch $@

# The stamp names the suite, or nothing where there is no wheel: then `make test` leaves it out.
$(STAMPS)/mlx: $(STAMPS)/core plugins/keraslite-mlx/pyproject.toml
	$(call INSTALLING,mlx)
	@if $(PIP) --only-binary mlx,mlx-cpu --editable plugins/keraslite-mlx 2> $@.log; then \
		echo mlx > $@; \
	elif grep -q "No matching distribution found for mlx" $@.log; then $(NO_MLX); : > $@; \
	else cat $@.log >&2; exit 1; fi

# numpy comes with the core; an engine of another package is for the user to install.
$(STAMPS)/%: $(STAMPS)/core
	@touch $@
