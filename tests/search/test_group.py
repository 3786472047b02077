from hypothesis import given
from hypothesis import strategies as st

from app.core.book import Passage
from app.search.group import grouped

TEXT = "離婚の際に称していた氏を称しようとする者は、その旨を届け出なければならない。"


def passage(book: str, text: str, number: int = 0) -> Passage:
    return Passage(f"{book}-{number}", book, number, text)


def test_the_same_text_in_two_books_is_one_group() -> None:
    found = [passage("a", TEXT), passage("b", TEXT), passage("c", "転籍の届書")]
    assert grouped(found, 10) == [(0, [1]), (2, [])]


def test_repetition_within_a_book_is_kept() -> None:
    assert len(grouped([passage("a", TEXT, 1), passage("a", TEXT, 2)], 10)) == 2


def test_the_limit_counts_groups() -> None:
    found = [passage("a", TEXT), passage("b", TEXT), passage("c", "転籍の届書"), passage("d", TEXT)]
    assert grouped(found, 1) == [(0, [1])]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("戸籍届出氏名", max_size=12))))
def test_every_passage_stands_in_at_most_one_group(made: list[tuple[str, str]]) -> None:
    found = [passage(book, text, number) for number, (book, text) in enumerate(made)]
    groups = grouped(found, len(found))
    places = [place for first, others in groups for place in (first, *others)]
    assert sorted(places) == list(range(len(found)))
