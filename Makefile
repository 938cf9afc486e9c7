# `make help` lists the targets. Everything is installed into .venv (see tools/setup.sh), never into the system.

COVERAGE_MIN = 90
WORKERS = 2
TEST_WORKERS = 4  # more than cores: most tests wait for processes and deadlines

BIN = .venv/bin
LOCK = build/venv-lock/bin/pip-compile --quiet --no-config --strip-extras --generate-hashes --allow-unsafe \
	--build-deps-for=editable --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
# -v takes back the -q of pyproject.toml.
PYTEST = pytest -v -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

# What `make soak` and `make sweep` try: a part of each series' cases (0 to 1), which part and which random values; and
# in the soak how many times the examples that each property test states, of which `make test` tries half. Also from the
# environment.
SOAK_PART ?= 1
SOAK_SEED ?= 1
SOAK_EXAMPLES ?= 20
SWEEP_PART ?= 1
SWEEP_SEED ?= 1
LONG = pytest -n $(WORKERS) --dist worksteal
SOAK = $(LONG) -o python_files='test_*.py soak_*.py' -m '(soak or hypothesis) and not sweep' \
	--hypothesis-seed=$(SOAK_SEED)
SWEEP = $(LONG) -o python_files='test_*.py sweep_*.py' -m sweep --hypothesis-seed=$(SWEEP_SEED)

# Hundreds of processes load the same modules: byte code is kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL = help
.NOTPARALLEL:
.PHONY: help demo test soak sweep test-lowest expected bench format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## two hospitals and a helper train one model on this machine
	@sh tools/setup.sh core
	@$(BIN)/mpc run scenarios/two_hospitals.toml

test: ## style, types and all tests, with coverage
	@sh tools/setup.sh dev
	$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --output-format concise || { echo 'run "make format"' >&2; exit 1; }
	@# The types are checked beside the tests, which wait a good part of their time.
	@mkdir -p build; $(BIN)/mypy --strict >build/types 2>&1 & types=$$!; \
		$(BIN)/$(PYTEST) --cov --cov-report=; tests=$$?; \
		wait $$types || tests=1; cat build/types; exit $$tests
	$(BIN)/coverage report --include='mpc/*,protocols/*' --fail-under=$(COVERAGE_MIN)

soak: ## the long tests and many more examples: docs/soak.md (SOAK_PART=0.1 SOAK_SEED=7: a tenth, chosen by a seed)
	@sh tools/setup.sh dev
	SOAK_PART=$(SOAK_PART) SOAK_SEED=$(SOAK_SEED) SOAK_EXAMPLES=$(SOAK_EXAMPLES) $(BIN)/$(SOAK)

sweep: ## attacks at full speed, trainings of all settings, planted bugs: docs/soak.md (SWEEP_PART=0.1 SWEEP_SEED=7: a tenth)
	@sh tools/setup.sh dev
	SWEEP_PART=$(SWEEP_PART) SWEEP_SEED=$(SWEEP_SEED) $(BIN)/$(SWEEP)

test-lowest: ## the tests with the oldest releases that pyproject.toml allows
	@sh tools/setup.sh lowest
	build/venv-lowest/bin/$(PYTEST)

expected: ## write anew what commands are expected to print, and the tables of docs; read the diff before you commit it
	@sh tools/setup.sh dev
	$(BIN)/python -m tools.settings_tables
	$(BIN)/python -m tools.conformance
	RENEW_EXPECTED=1 $(BIN)/pytest tests/run/test_expected_texts.py

bench: ## time us and other frameworks, and write docs/benchmarks.md (QUICK=1: the smallest of it)
	@sh tools/setup.sh dev
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

format: ## bring the code into its standard form
	@sh tools/setup.sh dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## renew requirements.lock and requirements-dev.lock from pyproject.toml
	@# With the oldest Python: a newer one would choose releases (of numpy, say) that the oldest cannot install.
	"$${PYTHON:-python3.11}" -m venv --clear build/venv-lock
	build/venv-lock/bin/python -m pip install --quiet pip-tools
	$(LOCK) --upgrade --output-file requirements.lock pyproject.toml
	$(LOCK) --upgrade --extra test --extra dask --extra tour --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

clean: ## remove all that was made here but the records in runs/
	rm -rf .venv build dist beaverlodge.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find mpc protocols -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
