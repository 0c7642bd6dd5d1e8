# Two commands do everything, their own set-up included: `make forget` and `make test`.

# the interpreter that makes .venv, 3.11 or newer
PYTHON ?= python3
# cpu or gpu: which requirements-*.txt brings torch
TORCH ?= cpu
# further settings of `make forget` or pytest options, e.g. ARGS="--request request.csv"
ARGS ?=
# test processes
JOBS ?= 2
# which long measurement: phantom, chase, isic, isic_classification, retain_subset, recovery, folds, prepared, isic_whole, requests, mock_requests, stand_in, killed, structures, foreign, volumes, picture, methods, reconstruction, options, embedding, multimodal
STUDY ?= phantom
# set for the short form of `make bench`
QUICK ?=

VENV := .venv

# An index that does not answer must cost seconds, not minutes.
PIP    = $(VENV)/bin/python -m pip --disable-pip-version-check
PIPGET = $(PIP) install --quiet --retries 1 --timeout 20
# MONAI warns on every run that a config is code; these are the repository's own
RUN    = $(VENV)/bin/python -W "ignore:parsing config_file:UserWarning" -m monai.bundle run
THREADS = OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help forget test test-label lint format study bench clean distclean
help:
	@echo "make forget    forget, restore and evaluate on the embedded default; prints a summary"
	@echo "make test      lint, types, tests, coverage of scripts/"
	@echo "make test-label  a real MONAI Label server: inference, training, forgetting"
	@echo "make lint | format | clean | distclean"
	@echo "make study     a measurement of docs/RESULTS.md: STUDY=phantom | chase | isic | isic_classification | retain_subset | recovery | folds | prepared | isic_whole | requests | mock_requests | stand_in | killed | structures | foreign | volumes | picture | methods | reconstruction | options | embedding | multimodal"
	@echo "make bench     what a request costs; QUICK=1 the phantom alone, once"
	@echo "settings       PYTHON=$(PYTHON) TORCH=$(TORCH) JOBS=$(JOBS) ARGS=\"$(ARGS)\""

forget: $(VENV)/.installed
	$(RUN) unlearn --config_file configs/unlearn.yaml $(ARGS)

test: lint
	mkdir -p build
	$(THREADS) $(VENV)/bin/python -m slipcover --json --out build/coverage.json -m pytest -n $(JOBS) --dist worksteal $(ARGS)
	$(VENV)/bin/python -m slipcover --merge build/coverage.json --out build/coverage.txt --skip-covered --fail-under 90

# A real MONAI Label server on this machine; its environment (about 2 GB) stays in build/label.
test-label: $(VENV)/.installed-dev
	$(THREADS) $(VENV)/bin/python -m pytest tests/server -m server -q $(ARGS)

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Minutes to an hour each; goes on where it was interrupted. UNLEARN_DATA names the folder of the real data sets.
study: $(VENV)/.installed-dev
	$(THREADS) $(VENV)/bin/python -m pytest tests/studies/test_$(STUDY).py -m study -q $(ARGS)
	$(VENV)/bin/python -m tests.studies.tables

# Cost beside retraining, the released schedule and fine-tuning; QUICK=1: the phantom alone, under 5 minutes.
bench: $(VENV)/.installed-dev
	$(THREADS) $(VENV)/bin/python -m tests.bench $(if $(QUICK),--quick --out speed_quick) $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is missing or older than 3.11; give PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error: $(PYTHON) has no venv module (Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt requirements-$(TORCH).txt | $(VENV)/bin/python
	$(PIPGET) -r requirements-$(TORCH).txt
	$(PIPGET) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements-dicom.txt $(VENV)/.installed
	$(PIPGET) -r requirements-dev.txt -r requirements-dicom.txt
	@touch $@

clean:
	rm -rf build .pytest_cache .mypy_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
