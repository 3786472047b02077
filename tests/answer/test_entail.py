"""The second opinion through the real loading code, with cross-encoders that say one thing only."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from app.answer.entail import Judge
from app.answer.verify import Verifier
from app.core.book import Passage
from app.core.errors import ModelUnavailable
from app.core.glossary import Glossary

LABELS = ("entailment", "neutral", "contradiction")
PASSAGE = Passage(id="p", book_id="b", ordinal=0, text="届出は、14日以内にしなければならない。")
CLAIM = "届出は、14日以内にしなければなりません。"
MakeModel = Callable[..., str]


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Writes a tiny BERT that gives any pair the label `says`."""

    def make(says: str, labels: tuple[str, ...] = LABELS) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

            folder = tmp_path_factory.mktemp("nli")
            words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"届出日以内"]
            (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
            config = BertConfig(
                vocab_size=len(words),
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=64,
                id2label=dict(enumerate(labels)),
                label2id={label: number for number, label in enumerate(labels)},
            )
            model = BertForSequenceClassification(config)
            with torch.no_grad():
                model.classifier.weight.zero_()
                model.classifier.bias.copy_(torch.tensor([float(name == says) for name in labels]))
            model.save_pretrained(folder)
            tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64)
            tokenizer.save_pretrained(folder)
        return str(folder)

    return make


@pytest.mark.parametrize(
    ("says", "status"),
    [("entailment", "kept"), ("neutral", "replaced"), ("contradiction", "dropped")],
)
def test_a_second_opinion_takes_away_what_the_rules_let_pass(
    make_model: MakeModel, says: str, status: str
) -> None:
    verdict = Verifier(Glossary(()), Judge(make_model(says))).verify(CLAIM, [PASSAGE])
    assert verdict.status == status
    assert bool(verdict.reasons) == (status != "kept")


def test_it_never_brings_back_what_the_rules_drop(make_model: MakeModel) -> None:
    verifier = Verifier(Glossary(()), Judge(make_model("entailment")))
    assert verifier.verify(CLAIM.replace("14", "15"), [PASSAGE]).status == "dropped"


def test_a_model_of_another_kind_is_refused(make_model: MakeModel) -> None:
    judge = Judge(make_model("good", ("good", "bad")))
    with pytest.raises(ModelUnavailable, match="含意判定モデルではありません"):
        judge.relation("届出", "届出")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        Judge(str(tmp_path)).relation("届出", "届出")
    assert caught.value.field == "nli_model"
