# Two commands set everything up from a bare Python 3.11: make demo, make test.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 2
INSTALL := $(BIN)/python -m pip install --quiet --no-deps
NEEDS_CUDA := import importlib.metadata as m, sys; \
	sys.exit(not any("nvidia" in part for part in m.requires("torch")))

.PHONY: help env demo test check bench lock clean

help:
	@echo "make demo    the main job on synthetic studies; opens nothing, writes demo/report.html"
	@echo "make test    the tests"
	@echo "make check   linter, formatter, types"
	@echo "make bench   all benchmarks, which takes hours; each is a command of its own"
	@echo "make env     only the environment, in $(VENV)"

env: $(READY)

$(READY): requirements.lock requirements-cpu.lock requirements-cuda.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert (3, 11) <= sys.version_info < (3, 14), "radpair needs Python 3.11 to 3.13: make PYTHON=python3.11"'
	$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --require-hashes -r requirements-cpu.lock 2>$(VENV)/cpu.log \
		|| echo "no CPU build of torch among the configured package sources; taking the registry's (see $(VENV)/cpu.log)"
	$(INSTALL) --require-hashes -r requirements.lock
	@if $(BIN)/python -c '$(NEEDS_CUDA)'; then \
		echo "installing the CUDA libraries that this build of torch needs"; \
		$(INSTALL) --require-hashes -r requirements-cuda.lock; \
	fi
	$(INSTALL) --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)
	$(BIN)/radpair demo --out demo

test: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	@for script in $$(grep -l __main__ benchmarks/*.py); do \
		case $$script in */step.py | */loader.py) threads=2 ;; *) threads=1 ;; esac; \
		threads=$${OMP_NUM_THREADS:-$$threads}; \
		echo "== OMP_NUM_THREADS=$$threads python $$script"; \
		OMP_NUM_THREADS=$$threads $(BIN)/python $$script || exit 1; \
	done

lock:
	PATH=$(BIN):$$PATH $(PYTHON) scripts/lock.py --cpu-wheel $(CPU_WHEEL)

clean:
	rm -rf $(VENV) demo
