import pytest

from app.core import glossary
from app.core.glossary import Glossary
from app.search.question import understand


@pytest.fixture(scope="module")
def words() -> Glossary:
    return glossary.load()


def test_the_users_words_weigh_more_than_the_glossarys(words: Glossary) -> None:
    question = understand("名字を変えたい", words, 100)
    added = {term: weight for term, weight in question.terms.items() if term not in question.own}
    assert question.own
    assert added
    assert max(added.values()) < min(question.own.values())


def test_a_reference_is_taken_out_of_the_words(words: Glossary) -> None:
    question = understand("戸77の2の届出人は誰か", words, 100)
    assert [mention.reference.id for mention in question.mentions] == ["戸籍法:77_2"]
    assert question.own["届け出"] >= 1.0


def test_an_article_named_by_several_rows_gets_more_votes(words: Glossary) -> None:
    one = understand("離婚届", words, 100).articles
    more = understand(
        "離婚届を出したあとも結婚していたときの名字のままでいたい", words, 100
    ).articles
    assert more["民法:767"] > one.get("民法:767", 0.0)


def test_ignored_terms_add_nothing(words: Glossary) -> None:
    question = understand("名字", words, 100, ignore=("名字",))
    assert question.expansions == ()
    assert question.terms == question.own


def test_a_bare_article_of_a_question_is_of_the_family_register(words: Glossary) -> None:
    question = understand("第77条の2の届出人は誰か", words, 100)
    assert [mention.reference.id for mention in question.mentions] == ["戸籍法:77_2"]
