# Needs make and Python 3.11 or newer with its `venv` module; everything else goes into .venv.
#   make PYTHON=/path/to/python3.13 setup     to choose the Python

VENV    := .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --disable-pip-version-check
MINIMUM := (3, 11)
WORKERS := --numprocesses auto --maxprocesses 4 --dist worksteal

# The first that runs and is new enough: a name on the PATH may be too old, or a shim without a Python behind it.
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)
FIND_PYTHON = for name in $(CANDIDATES); do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < $(MINIMUM))' >/dev/null 2>&1 && echo "$$name" && break; done

# An environment works only where it was made, and only while its Python is there: else it is made anew.
ifneq ($(CURDIR),$(shell $(BIN)/python -c pass 2>/dev/null && cat $(VENV)/.made))
.PHONY: $(VENV)/.made
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check lowest soak bench clean

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.user ## Make .venv with what a user of dissensus needs

demo: setup ## Run the demo: no key, no network, scripted models
	@$(BIN)/dissensus demo

test: $(VENV)/.dev $(VENV)/.sdks ## Run the tests on SQLite and on a PostgreSQL that they start themselves
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

check: $(VENV)/.dev $(VENV)/.sdks ## Lint, check the formatting and the types, then test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

lowest: $(VENV)/.dev $(VENV)/.sdks ## Run the tests with the oldest dependencies that pyproject.toml admits
	$(BIN)/python -m venv --clear $(VENV)/lowest
	$(BIN)/python tests/support/floors.py > $(VENV)/lowest/floors.txt
	$(PIP) --python $(VENV)/lowest install --quiet --constraint $(VENV)/lowest/floors.txt --editable . --group dev
	$(VENV)/lowest/bin/python -m pytest $(WORKERS) $(ARGS)

bench: $(VENV)/.bench ## Run small versions of the benchmarks and print their figures
	$(BIN)/python benchmarks/startup.py --runs 7
	$(BIN)/python benchmarks/rounds.py --blocks 5 --rounds 40
	$(BIN)/python benchmarks/panel.py --questions 300 --kill 3 $(ARGS)
	$(BIN)/python benchmarks/commits.py --n 100 --repeats 1
	$(BIN)/python benchmarks/reads.py --n 200
	$(BIN)/python benchmarks/writers.py --n 48 --repeats 1
	$(BIN)/python benchmarks/models.py --small
	$(BIN)/python benchmarks/judgement.py --only panel
	$(BIN)/python benchmarks/history.py --n 2000

soak: $(VENV)/.dev ## Run the long proofs, for hours: 2,000 kills and 40 seeds of 20,000 transactions on each database
	for database in sqlite postgresql; do \
		$(BIN)/python tests/soak/crashes.py --database $$database --kills $(or $(KILLS),2000) && \
		$(BIN)/python tests/soak/elle.py --database $$database --seeds $(or $(SEEDS),40) \
			--transactions $(or $(TRANSACTIONS),20000) || exit 1; done
	$(BIN)/python -m pytest tests/state/test_sessions_against_a_model.py --hypothesis-profile=$(or $(PROFILE),soak)

clean: ## Remove .venv and everything that tools have left
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is the last thing its rule writes, so an interrupted set-up starts again and a finished one costs nothing.
$(VENV)/.user: pyproject.toml $(VENV)/.made
	@echo "Installing dissensus into $(VENV) ..."
	@$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.user
	@echo "Installing the development dependencies into $(VENV) ..."
	@$(PIP) install --quiet --group dev
	@touch $@

# The providers' SDKs want other versions of what we use, and nothing of ours may import them.
$(VENV)/.sdks: tests/sdks/requirements.txt $(VENV)/.made
	@echo "Installing the providers' SDKs, which the tests compare with, into $(VENV)/sdks ..."
	@$(BIN)/python -m venv --clear $(VENV)/sdks
	@$(PIP) --python $(VENV)/sdks install --quiet --requirement $<
	@touch $@

$(VENV)/.bench: benchmarks/requirements.txt $(VENV)/.dev
	@echo "Installing what the benchmarks compare with into $(VENV) ..."
	@$(PIP) install --quiet --requirement benchmarks/requirements.txt
	@touch $@

# pip before 25.1 does not know dependency groups, and the pip that comes with a Python is often older.
$(VENV)/.made:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
		echo "dissensus needs Python 3.11 or newer; none of these is: $(CANDIDATES)" >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3 setup" >&2; exit 1; fi; \
	"$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$$python lacks the venv module (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }; \
	"$$python" -m venv --clear $(VENV)
	@$(PIP) install --quiet --upgrade 'pip>=25.1'
	@echo "$(CURDIR)" > $@
