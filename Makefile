# `make run` is all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
# Where pip finds the torch build, if not where it finds everything else (see README: CPU or CUDA).
TORCH_INDEX ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## この一覧を表示する
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11以降が必要です (PYTHON=python3.12 のように指定できます)'; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip setuptools wheel -c constraints.txt
	$(BIN)/pip install --quiet -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/pip install --quiet -c constraints.txt --no-build-isolation -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev,ocr]'
	touch $@

.PHONY: install
install: $(VENV)/installed ## 実行に必要なものを .venv に入れる

.PHONY: run
run: $(VENV)/installed ## 見本の本を登録して http://127.0.0.1:8000 で検索サービスを始める
	$(BIN)/shiori serve --samples --host $(HOST) --port $(PORT)

.PHONY: test
test: lint ## すべての検査とテストを行う (.ci/run と同じ)
	$(BIN)/python -m pytest -n auto

.PHONY: lint
lint: $(VENV)/installed-dev ## 書式・静的検査・型・依存の向きを検査する
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/installed-dev ## 書式を整える
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(VENV)/installed ## 速さを測る (比は同じ実行の中で測ったもの)
	$(BIN)/shiori bench

.PHONY: samples
samples: $(VENV)/installed-dev ## 見本の本を原稿から組み直す (chromium と BIZ UD フォントが必要)
	$(BIN)/python -m ingest.samples.build

.PHONY: screenshots
screenshots: $(VENV)/installed-dev ## READMEの画面写真を撮り直す (chromium が必要)
	$(BIN)/python -m tests.browser.screenshots

.PHONY: clean
clean: ## .venv を消す (データは消さない)
	rm -rf $(VENV)
