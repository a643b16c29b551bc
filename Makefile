# make repro   run what has changed of the whole pipeline, stages side by side on all cores
# make quick   grokking alone, to its figure, in a copy of the last commit below .specflow
# make test    lint, then run all tests
# make attack  50 times as many random attacks as the tests make, with a seed: make attack SEED=7
# make lint    check style and types
# make bench   run the benchmarks, which print ratios measured side by side
# make clean   remove caches and the state of interrupted runs; results stay

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECK_VERSION := import sys; sys.exit(sys.version_info < (3, 11) and \
	"$(PYTHON) is too old: specflow needs Python 3.11 or newer; try: make PYTHON=python3.12")
SEED := 1
QUICK := .specflow/quick
# Run by hand, since they take long or install packages; planted.py is imported by one of them.
BY_HAND := $(patsubst %,benchmarks/%.py,checkpoints_memory cluster_members embedding_memory field_tools \
	many_matrices members_per_device planted slots watch_overhead)
BENCHMARKS := $(filter-out $(BY_HAND),$(sort $(wildcard benchmarks/*.py)))

# The stages of the pipeline call `python`, and `dvc` calls `git`, by the PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro quick test attack lint bench clean

repro: $(INSTALLED)
	$(BIN)/specflow repro

# In a copy, so that params.yaml and results stay what they are. What it came to is committed there,
# to be compared with what you change.
quick: $(INSTALLED)
	rm -rf $(QUICK)
	git clone --quiet . $(QUICK)
	cp presets/quick.yaml $(QUICK)/params.yaml
	cd $(QUICK) && specflow repro
	cd $(QUICK) && git add --all && \
		git -c user.name=specflow -c user.email=specflow@localhost commit --quiet --message quick
	@echo "figures: $(QUICK)/results/figures, report: $(QUICK)/results/report/index.html"

test: lint
	$(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder

attack: $(INSTALLED)
	$(BIN)/python -m pytest tests/attacks -n logical --attack-times 50 --attack-seed $(SEED)

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# A kernel that is pinned for old versions of OpenBLAS would hold the present one back.
bench: $(INSTALLED)
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; \
		env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python "$$script"; done

# Without build isolation, packages are built with the pinned setuptools, not with the newest one.
$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -c '$(CHECK_VERSION)' 2>/dev/null || \
		{ $(PYTHON) -c '$(CHECK_VERSION)' && $(PYTHON) -m venv --clear $(VENV); }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip --upgrade
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation \
		--editable '.[dev,pipeline,speech]'
	touch $@

clean:
	rm -rf .specflow .pytest_cache .mypy_cache .ruff_cache build dvc_plots src/*.egg-info
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
