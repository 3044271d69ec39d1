# Two commands: `make run` and `make test`. Each target sets up .venv from the lock when that is needed.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE ?= 1
# A pair, for `make lock`: each torchvision is built for one torch.
TORCH ?= torch==2.14.1 torchvision==0.29.1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: run test lab site bench lock clean

run: .venv/ready          ## the whole chain, ending in out/report.html
	$(BIN)/l1g1000 chain

test: .venv/ready         ## every check, page, lesson and test
	$(BIN)/pytest --numprocesses 2 --dist worksteal

lab: .venv/ready          ## JupyterLab at the first lesson
	$(BIN)/jupyter lab course/00_start.ipynb

site: .venv/ready         ## the documentation, in _site/index.html
	$(BIN)/python tools/site.py

bench: .venv/ready        ## every figure of benchmarks/, as JSON beside its script
	for f in benchmarks/*.py; do $(BIN)/python $$f || exit 1; done

lock:                     ## new versions into requirements.lock (Python 3.10 to 3.13, every platform)
	$(PYTHON) -m pip install --quiet uv
	printf '%s\n' $(TORCH) > requirements.torch
	$(PYTHON) -m uv pip compile --quiet --constraint requirements.torch --universal --python-version 3.10 --no-annotate --no-header --all-extras pyproject.toml -o requirements.all
	{ echo "# Versions tried together. torch brings its own GPU packages, which a CPU wheel does not need: they are not listed."; \
	  grep -vE '^(nvidia-|cuda-|triton)' requirements.all; } > requirements.lock
	rm requirements.all requirements.torch

clean:                    ## all that can be made again; data in the cache folder stays
	rm -rf .venv out _site docs/_staged build dist *.egg-info .pytest_cache

# The stamp is younger than what it was made from, or pip runs again. pip's own index settings hold.
.venv/ready: requirements.lock settings.ini setup.py pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3,10) <= v <= (3,13) else f"Python {v[0]}.{v[1]} is outside 3.10 to 3.13: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@
