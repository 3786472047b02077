from __future__ import annotations

from app.core.glossary import ASKED, SAME, Expansion
from app.web.expanding import Typical, Widened, governing, typical, widened


def given(term: str, adds: tuple[str, ...], *articles: str, topic: str = "離婚") -> Expansion:
    return Expansion(term, 0, len(term), adds, articles, topic, 1.0)


def test_other_forms_of_a_word_and_everyday_verbs_are_not_told() -> None:
    readings = (
        given("使い", ("使う",), topic=SAME),
        given("戻れる", ("戻る",), topic=SAME),
        given("離婚したい", ("離婚", "協議上の離婚")),
        given("名字", ("氏",), topic="氏"),
        given("旧姓", ("復する",), topic="氏"),
    )
    assert widened(readings) == [
        Widened("離婚したい", ("協議上の離婚",), ()),
        Widened("名字", ("氏",), ()),
        Widened("旧姓", ("復する",), ()),
    ]


def test_a_word_with_articles_alone_is_told_and_one_of_two_rows_once() -> None:
    readings = (
        given("離婚", ("離婚",), "民法763条"),
        given("離婚", ("協議上の離婚",), "民法763条", "戸籍法76条"),
    )
    (only,) = told = widened(readings)
    assert only == Widened("離婚", ("協議上の離婚",), ("民法763条", "戸籍法76条"))
    assert governing(told) == ["民法第763条", "戸籍法第76条"]
    assert widened(readings[:1]) == [Widened("離婚", (), ("民法763条",))]


def test_the_typical_question_is_told_apart() -> None:
    like = given(ASKED, ("離婚 今の名字",), "民法第767条", topic=ASKED)
    assert widened((like,)) == []
    assert typical((given("名字", ("氏",)), like)) == Typical("離婚・今の名字", ("民法第767条",))
    assert typical(()) is None
