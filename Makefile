# The environment that is active, else .venv, made here.
VENV ?= $(or $(VIRTUAL_ENV),.venv)
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip install --quiet --disable-pip-version-check --constraint .ci/constraints.txt
# Articles of your own: files or folders, .txt .jsonl .csv .parquet
ARTICLES ?=

.DEFAULT_GOAL := help
.PHONY: help install train demo-runs ui serve evaluate search classify test check clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed-train  ## make an environment with what training needs, in the versions tested

train: $(VENV)/.installed-train  ## check the articles, train, measure, save to models/, log to MLflow
	$(PYTHON) -m pipeline train

demo-runs: $(VENV)/.installed-train  ## three runs to compare: words only, words and letters, another learner; 4 minutes
	$(PYTHON) -m pipeline train --output models/demo/words --set features.char_weight=0
	$(PYTHON) -m pipeline train --output models/demo/words-and-letters
	$(PYTHON) -m pipeline train --output models/demo/nbsvm --set classifier.learner=nbsvm

ui: $(VENV)/.installed-train  ## open the runs in MLflow's pages, on 127.0.0.1
	$(PYTHON) -m pipeline ui

serve: $(VENV)/.installed-train  ## put the champion behind HTTP, on 127.0.0.1
	$(PYTHON) -m pipeline serve

evaluate: $(VENV)/.installed-train  ## measure the model on labeled articles: make evaluate ARTICLES=FILE
	@test -n "$(ARTICLES)" || { echo "make evaluate ARTICLES=FILE: name labeled articles (.jsonl .csv .parquet)" >&2; exit 2; }
	$(PYTHON) -m pipeline evaluate --articles $(ARTICLES)

search: $(VENV)/.installed-search  ## search for better settings; takes an hour, and goes on where it was interrupted
	$(PYTHON) -m pipeline search

classify: $(VENV)/.installed-train  ## classify the samples, and articles of your own: make classify ARTICLES=FILE
	$(PYTHON) -m pipeline classify data/samples $(ARTICLES)

test: $(VENV)/.installed-dev  ## run the tests
	$(PYTHON) -m pytest

check: $(VENV)/.installed-dev  ## run the linter, the type checker and the checks of the corpus
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pipeline validate data/articles data/several

clean:  ## remove what the other targets made, but for the models and the MLflow runs
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find pipeline tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON):
	python3 -m venv $(VENV)

$(VENV)/.installed-train: pyproject.toml .ci/constraints.txt | $(PYTHON)
	$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/.installed-search: pyproject.toml .ci/constraints.txt | $(PYTHON)
	$(PIP) --editable '.[search]'
	@touch $@ $(VENV)/.installed-train

$(VENV)/.installed-dev: pyproject.toml .ci/constraints.txt | $(PYTHON)
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.installed-train $(VENV)/.installed-search
