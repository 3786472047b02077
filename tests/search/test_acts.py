from __future__ import annotations

import pytest

from app.core.book import Passage
from app.core.errors import BadRequest
from app.main import Shiori
from app.search.acts import ACTS, acts_of, is_about
from app.search.pipeline import Filters


def passage(text: str, *path: str) -> Passage:
    return Passage("b-1", "b", 0, text, section_path=path)


@pytest.mark.parametrize(
    ("path", "text", "acts"),
    [
        (("第五章 婚姻", "第二節 婚姻の届出"), "離婚、離婚、離婚", ("婚姻",)),
        (("第五章　婚姻及び離婚", "第二節　離婚"), "", ("離婚",)),
        (("第３章　特別養子縁組",), "", ("特別養子",)),
        (("第1節 縁組と離縁",), "", ("養子縁組", "離縁")),
        (("解説",), "転籍の届出をする。転籍地でもよい。婚姻の例。", ("転籍・就籍",)),
        (("解説",), "認知症の人。認知症の診断。", ()),
        (("第1章 総則",), "届出の期間は十四日とする。", ()),
    ],
)
def test_headings_say_what_a_passage_is_about_and_else_its_words(
    path: tuple[str, ...], text: str, acts: tuple[str, ...]
) -> None:
    assert acts_of(passage(text, *path)) == acts


def test_a_search_for_an_act_finds_nothing_else(sample_product: Shiori) -> None:
    result = sample_product.searcher.search("届出の期間", 20, Filters(acts=("死亡・失踪",)))
    assert result.hits
    assert all(is_about(hit.passage, ["死亡・失踪"]) for hit in result.hits)
    with pytest.raises(BadRequest, match="届出の種類「昼食」"):
        sample_product.searcher.search("届出", filters=Filters(acts=("昼食",)))
    assert len(ACTS) == len(set(ACTS))
