from __future__ import annotations

import pytest

from app.answer.premise import asserted, false_premise
from app.main import Shiori


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("婚姻は16歳からできると聞いた", "16"),
        ("出生届は1か月以内でよいか", "1"),
        ("証人は1人でいいですか", "1"),
        ("17歳の子が婚姻届を出しに来た 受理してよいか", ""),
        ("離婚して4か月 やっぱり元の苗字を名乗りたい", ""),
        ("離婚後300日以内に生まれた子は前夫の子でよいか", ""),
        ("出生届は何日以内か", ""),
        ("届出は7日以内か14日以内でよいか", ""),
    ],
)
def test_a_number_taken_for_a_rule_is_told_from_one_of_the_case(question: str, number: str) -> None:
    amount = asserted(question)
    assert (amount.value if amount else "") == number


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (
            "死亡届は10日以内でよいか",
            "ご質問の「10日」は、見つかった箇所にはありません。本には「7日」",
        ),
        ("戸籍謄本の手数料は300円だと聞いた", "本には「450円」とあります。"),
        ("死亡届は7日以内でよいか", ""),
        ("死亡届は3か月以内でよいか", ""),  # 国外で死亡したとき
        ("死亡届の証人は1人でよいか", ""),  # no number of persons in the answer
    ],
)
def test_only_a_number_that_stands_nowhere_near_is_corrected(
    product: Shiori, question: str, told: str
) -> None:
    notices = product.answerer.ask(question).answer.notices
    corrected = [notice for notice in notices if notice.startswith("ご質問の")]
    assert told in corrected[0] if told else not corrected


def test_nothing_is_corrected_without_an_answer() -> None:
    assert false_premise("出生届は1か月以内でよいか", (), (), ()) == ""
