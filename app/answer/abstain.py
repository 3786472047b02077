"""What is said when the books do not answer: what was searched, and whom to ask next.

A counter that finds no ground in its books asks the Legal Affairs Bureau whether to
accept a notification (受理照会). The draft names the nearest passages and leaves to
staff whatever only they know.
"""

from __future__ import annotations

from app.answer.weigh import Wanted, named_ids
from app.core.book import Hit
from app.search.pipeline import SearchResult

DRAFT = "【下書き】"
_NEAREST = 3
_QUOTED = 120


def reason(result: SearchResult, asked: Wanted, *, near: bool) -> str:
    """Why nothing is answered, what was searched, and the next step, in Japanese sentences.

    `near` says whether the passages found have anything to do with the question.
    """
    if named_ids(result.question):
        shown = "、".join(
            dict.fromkeys(mention.reference.display for mention in result.question.mentions[:3])
        )
        first = f"{shown}を載せた、または引用した箇所は、登録された本に見つかりませんでした。"
    elif not result.hits:
        first = "登録された本に、該当する箇所がありません。"
    else:
        first = "この質問の答えだと確かめられる箇所は、登録された本に見つかりませんでした。"
    return first + _searched(result, asked) + _next_step(near)


def _searched(result: SearchResult, asked: Wanted) -> str:
    words = "".join(f"「{word}」" for word in asked.written[:6])
    said = f"探した語は{words}" if words else ""
    if result.expansions:
        terms = dict.fromkeys(added for e in result.expansions for added in e.adds)
        said += "、言い換えは" if said else "探した言い換えは"
        said += "".join(f"「{term}」" for term in list(terms)[:4])
    if not said:
        return ""
    said += "です。"
    if asked.unknown:
        said += "".join(f"「{word}」" for word in asked.unknown[:4])
        said += "は、登録された本のどこにもありません。"
    return said


def _next_step(near: bool) -> str:
    if not near:
        return "言い方を変えて探すか、担当の窓口に確かめてください。"
    return (
        "近い箇所を読んでも判断できないときは、言い方を変えて探すか、"
        "管轄法務局への受理照会を検討してください。"
    )


def inquiry(result: SearchResult) -> str:
    """A draft of the inquiry to the Legal Affairs Bureau; empty without passages to go by.

    What is not in the books (names, dates, the office's own view) is left as ○○.
    """
    if not result.hits:
        return ""
    lines = [
        f"{DRAFT} この文書は検索結果から自動で作った下書きです。事実と意見を書き入れ、必ず確認してください。",
        "",
        "○○法務局長　殿",
        "○○市区町村長　○○",
        "",
        "戸籍届出の受理について（照会）",
        "",
        "下記の届出の受否について疑義がありますので、指示を求めます。",
        "",
        "1　照会事項",
        f"　{result.query}",
        "",
        "2　事案の概要",
        "　（届出の種別、届出人、届出年月日、添付書類など）○○",
        "",
        "3　調べた資料（答えは見つかっていません）",
    ]
    lines += [
        f"　({number}) {_source(hit)}" for number, hit in enumerate(result.hits[:_NEAREST], 1)
    ]
    lines += ["", "4　当職の意見", "　○○"]
    return "\n".join(lines)


def _source(hit: Hit) -> str:
    passage, book = hit.passage, hit.book
    place = f" {passage.page_label}頁" if passage.page_label else ""
    heading = f"「{passage.section_path[-1]}」" if passage.section_path else ""
    quoted = " ".join(passage.text.split())
    tail = "…" if len(quoted) > _QUOTED else ""
    return f"{book.title} {book.edition}{place}{heading}: {quoted[:_QUOTED]}{tail}"
