# `make run` is all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
# Which build of torch: cpu, auto (what fits this machine's GPU) or a CUDA version such as cu130.
TORCH ?= cpu
# Another index to get it from (a mirror of your own); TORCH does not count then.
TORCH_INDEX ?=
PIP := $(BIN)/pip --disable-pip-version-check install --quiet -c constraints.txt

.DEFAULT_GOAL := help

.PHONY: help
help: ## この一覧を表示する
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# torch for the CPU lies in PyTorch's own index, which uv knows; pip alone would take the CUDA
# build of several gigabytes. Where that index is out of reach, pip's own has to do.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11以降が必要です (PYTHON=python3.12 のように指定できます)。'; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
	  { echo '仮想環境を作れません。Debian・Ubuntuでは python3-venv を入れてください。'; exit 1; }
	@echo '必要なものを $(VENV) に入れています。初めは数分かかります。'
	@$(PIP) --upgrade pip setuptools
	@echo '  1/2 torch ($(if $(TORCH_INDEX),$(TORCH_INDEX),$(TORCH)))'
	@if [ -n '$(TORCH_INDEX)' ]; then $(PIP) --index-url '$(TORCH_INDEX)' torch; \
	elif [ -n "$$PIP_NO_INDEX" ]; then $(PIP) torch; \
	else $(PIP) uv && UV_HTTP_RETRIES=0 $(BIN)/uv pip install --quiet --no-deps \
	  --python $(BIN)/python --torch-backend '$(TORCH)' -c constraints.txt torch 2>/dev/null || \
	  { echo '      PyTorchの配布元に届かないので、pipの既定の配布元から入れます。'; $(PIP) torch; }; fi
	@echo '  2/2 そのほかのライブラリー'
	@$(PIP) --quiet --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo '開発とテストに使うものを $(VENV) に入れています。'
	@$(PIP) --quiet --no-build-isolation -e '.[dev,ocr]'
	@touch $@

.PHONY: install
install: $(VENV)/installed ## 実行に必要なものを .venv に入れる

.PHONY: run
run: $(VENV)/installed ## 見本の本を登録して検索サービスを始める (PORT=8000 HOST=127.0.0.1 TORCH=cpu を変えられる)
	@$(BIN)/shiori serve --samples --host $(HOST) --port $(PORT)

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
	@$(BIN)/shiori bench

.PHONY: samples
samples: $(VENV)/installed-dev ## 見本の本を原稿から組み直す (chromium と BIZ UD フォントが必要)
	$(BIN)/python -m ingest.samples.build

.PHONY: screenshots
screenshots: $(VENV)/installed-dev ## READMEの画面写真を撮り直す (chromium が必要)
	$(BIN)/python -m tests.browser.screenshots

.PHONY: clean
clean: ## .venv を消す (データは消さない)
	rm -rf $(VENV)
