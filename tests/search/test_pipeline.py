import pytest

from app.core.book import Book
from app.core.errors import BadRequest, NotFound
from app.main import Shiori
from app.search.pipeline import NO_FILTERS, Filters, valid_books
from tests.search.conftest import Publish


def articles(shelf: Shiori, question: str, filters: Filters = NO_FILTERS) -> list[str]:
    return [hit.passage.article for hit in shelf.searcher.search(question, 5, filters).hits]


@pytest.mark.parametrize(
    "written",
    [
        "戸籍法77条の2",
        "戸籍法第七十七条の二",
        "戸77の2",
        "戸77の2の届出人は誰か",
        "戸籍法７７条の２",
    ],
)
def test_a_reference_finds_the_article_itself(shelf: Shiori, law: Book, written: str) -> None:
    assert articles(shelf, written)[0] == "第七十七条の二"


def test_everyday_words_find_professional_text(shelf: Shiori, law: Book) -> None:
    result = shelf.searcher.search("離婚しても今の名字を使い続けたい", 3)
    assert result.hits[0].passage.article == "第七十七条の二"
    assert result.expansions


def test_what_speaks_of_the_parallel_institution_alone_stands_below(
    shelf: Shiori, publish: Publish
) -> None:
    book = publish(
        "parallel",
        "問答集",
        """
        問1　離縁しても今の名字を使い続けたい。できるか。
        答　縁組の日から七年を過ぎていれば、離縁の日から三箇月以内に届け出る。
        問2　離婚した後の名字はどうなるか。
        答　三箇月以内に届け出れば、離婚の際の名字を名乗れる。
        """,
    )
    found = articles(shelf, "離婚しても今の名字を使い続けたい", Filters(books=(book.id,)))
    assert found == ["問2", "問1"]


def test_a_day_on_which_no_book_stood_is_told(shelf: Shiori, publish: Publish) -> None:
    book = publish("late", "新しい本", "第一　届出をする。", published="2025-01-01")
    found = shelf.searcher.search("届出", 3, Filters(books=(book.id,), as_of="2024-04-01"))
    assert not found.hits
    assert "2024-04-01 の時点で有効な本は" in found.notices[0]


def test_words_can_be_kept_from_the_glossary(shelf: Shiori, law: Book) -> None:
    terms = tuple(item.term for item in shelf.searcher.search("名字を変えたい", 3).expansions)
    assert terms
    assert not shelf.searcher.search("名字を変えたい", 3, Filters(ignore=terms)).expansions


def test_what_an_article_cites_comes_with_it(shelf: Shiori, law: Book) -> None:
    assert "第一条" in articles(shelf, "戸籍法78条")


def test_citing_limits_to_passages_that_cite(shelf: Shiori, law: Book) -> None:
    assert articles(shelf, "届出", Filters(citing=("戸籍法1条",))) == ["第七十八条"]


def test_citing_something_unreadable_is_refused(shelf: Shiori, law: Book) -> None:
    with pytest.raises(BadRequest, match="条文や先例の表記"):
        articles(shelf, "届出", Filters(citing=("なんとか",)))


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("戸籍法300条", "戸籍法第300条"),
        ("戸籍法78条5項の期間", "戸籍法第78条第5項"),
        ("昭39.6.30民事甲2240号", "民事甲第2240号"),
        ("民法9999条", "民法第9999条を載せた本も、引用した本も、この書棚には"),
    ],
)
def test_a_reference_that_does_not_exist_is_named(
    shelf: Shiori, law: Book, question: str, named: str
) -> None:
    assert any(named in notice for notice in shelf.searcher.search(question).notices)


@pytest.mark.parametrize("question", ["戸籍法77条の2", "戸籍法78条2項", "離婚の届出"])
def test_nothing_is_said_of_references_that_exist(shelf: Shiori, law: Book, question: str) -> None:
    assert shelf.searcher.search(question).notices == ()


def test_a_commentary_does_not_show_what_a_law_lacks(shelf: Shiori, publish: Publish) -> None:
    publish("notes", "逐条解説 民法", "# 民法第一条\n総則の解説。民法2条も見よ。")
    assert shelf.searcher.search("民法1条2項").notices == ()
    assert shelf.searcher.search("民法2条").notices == ()


def test_a_notice_says_where_it_looked(shelf: Shiori, law: Book, publish: Publish) -> None:
    publish("guide", "離婚の手引", "# 離婚の届出\n離婚の届出を受けたとき。")
    (notice,) = shelf.searcher.search("戸籍法77条の2", 5, Filters(books=("guide",))).notices
    assert "探した本にはありません" in notice


@pytest.mark.parametrize("question", ["", "  \n", "あ" * 10_000])
def test_questions_that_cannot_be_searched_are_refused(shelf: Shiori, question: str) -> None:
    with pytest.raises(BadRequest) as caught:
        shelf.searcher.search(question)
    assert caught.value.field == "query"
    assert caught.value.hint


@pytest.mark.parametrize("k", [0, -1, 201])
def test_k_out_of_range_is_refused(shelf: Shiori, k: int) -> None:
    with pytest.raises(BadRequest):
        shelf.searcher.search("離婚", k)


def test_filters_by_book_shelf_and_edition(shelf: Shiori, law: Book, publish: Publish) -> None:
    publish(
        "guide",
        "離婚の手引",
        "# 離婚の届出\n離婚の届出を受けたとき。",
        shelf="別棚",
        edition="第2版",
    )
    for filters in (
        Filters(books=("guide",)),
        Filters(shelves=("別棚",)),
        Filters(editions=("第2版",)),
    ):
        hits = shelf.searcher.search("離婚の届出", 5, filters).hits
        assert {hit.book.id for hit in hits} == {"guide"}
    with pytest.raises(NotFound):
        shelf.searcher.search("離婚", 5, Filters(books=("nowhere",)))


def test_superseded_editions_rank_below_current_ones(shelf: Shiori, publish: Publish) -> None:
    text = "# 転籍\n転籍の届書には戸籍の謄本を添付する。"
    publish("old", "転籍の解説", text + "旧版の注。", edition="初版", published="2020-01-01")
    publish("new", "転籍の解説", text + "新版の注。", edition="第2版", published="2025-01-01")
    shelf.ledger.supersede("old", "new")
    hits = shelf.searcher.search("転籍の届書に添付するもの", 5).hits
    order = [hit.book.id for hit in hits if hit.book.id in ("old", "new")]
    assert order[0] == "new"
    # The two are nearly the same text: one hit that names its other place.
    newest = next(hit for hit in hits if hit.book.id == "new")
    assert [id_.split("-")[0] for id_ in newest.similar] == ["old"]


def test_what_only_a_superseded_edition_says_stands_last(shelf: Shiori, publish: Publish) -> None:
    publish("old2", "分籍の解説", "# 分籍\n分籍届の手数料は不要である。", edition="初版")
    publish("new2", "分籍の解説", "# 転居\n転居届の期間は十四日以内である。", edition="第2版")
    shelf.ledger.supersede("old2", "new2")
    hits = shelf.searcher.search("分籍届の手数料 届", 10).hits
    assert "old2" in {hit.book.id for hit in hits}
    states = [bool(hit.book.superseded_by) for hit in hits]
    assert states == sorted(states)


def test_an_older_book_warns_of_changed_law(shelf: Shiori, publish: Publish) -> None:
    publish(
        "past",
        "再婚の解説",
        "# 再婚禁止期間\n再婚禁止期間は民法第七百三十三条が定める。",
        as_of="2020-01-01",
    )
    hit = shelf.searcher.search("再婚禁止期間", 5, Filters(books=("past",))).hits[0]
    assert any("2024年4月1日施行" in warning for warning in hit.warnings)


def test_a_book_without_as_of_date_is_as_old_as_its_print(shelf: Shiori, publish: Publish) -> None:
    text = "# 婚姻の要件\n再婚禁止期間を経過していること。"
    publish("printed", "婚姻の解説", text, published="2015")
    (hit,) = shelf.searcher.search("再婚禁止期間", 1, Filters(books=("printed",))).hits
    assert any("より前に発行された本" in warning for warning in hit.warnings)


def books(**dates: tuple[str, str]) -> dict[str, Book]:
    return {
        name: Book(name, name, "", published=published, superseded_by=newer)
        for name, (published, newer) in dates.items()
    }


def test_valid_books_are_the_newest_at_the_date() -> None:
    shelf = books(old=("2020-01", "new"), new=("2025-04-01", ""), undated=("", ""))
    assert valid_books(shelf, "2024-12-31") == {"old", "undated"}
    assert valid_books(shelf, "2025-04-01") == {"new", "undated"}
    assert valid_books(shelf, "2019-12-31") == {"undated"}


def test_a_bad_date_is_refused() -> None:
    with pytest.raises(BadRequest, match="2024/1/1"):
        valid_books({}, "2024/1/1")
