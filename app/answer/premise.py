"""A number that a question takes for granted, where the books state another for the same matter.

「婚姻は16歳からできると聞いた」: said only when sure, as a wrong correction is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from app.answer.answer import Block
from app.answer.facts import Amount, facts
from app.core.book import Hit
from app.core.japanese import sentences, tokens

# What a number of a question asserts: that it is so (と聞いた), whether it is so (でよいか), or why (ので).
_ASSERTS = re.compile(
    "(?:と|って)(?:聞|き[いく]|思|書|言|い[わうっ])|(?:で|でも)(?:よい|良い|いい|大丈夫|間に合|足り)"
    "|(?:ですか|でしょうか|ですよね|でしたよね|だよね|よね|だろうか|のか|ないので|だから|なので|ないから)[。？?]?"
)
# A number that tells of the case, no rule: 17歳の子, 離婚して4か月, 300日以内に生まれた.
_OF_CASE = re.compile(
    "(?:[かヶ箇ヵ]月|[年月日週歳才円人名])間?"
    "(?:の(?!うち|間)|に(?:な|生)|で(?:結婚|婚姻|離婚|死)|たつ|経|前に|以内に生|以内の|目|も)"
)
# More numbers than a rule and its variant (国外では3か月) are a table: which one is meant is unsure.
_MOST = 2
_BEST = 3
_SPAN = "時"
_UNITS = {
    "歳": "歳", "才": "歳", "円": "円", "人": "人", "名": "人",
    **dict.fromkeys(("日", "週", "か月", "か年", "年"), _SPAN),
}  # fmt: skip


def asserted(question: str) -> Amount | None:
    """The one number with a unit that a question takes for a rule; None where it has none, or several."""
    if not _ASSERTS.search(question) or _OF_CASE.search(question):
        return None
    counts = _counts(question)
    return counts[0] if len(counts) == 1 else None


def false_premise(
    question: str, nouns: Collection[str], blocks: Sequence[Block], hits: Sequence[Hit]
) -> str:
    """A sentence that sets the number asked about beside that of the books; empty where unsure.

    Sure is: one number with a unit, asserted; the first block, no row of a table, states one or
    two others of its kind, bounded alike; and neither its passage, nor a sentence of the other
    cited and best ones that holds one of the question's `nouns`, has the one asked about.
    """
    amount = asserted(question)
    if amount is None or not blocks or "。" not in blocks[0].text:
        return ""
    stated = [known for known in _counts(_reply(blocks[0].text)) if _kind(known) == _kind(amount)]
    told = dict.fromkeys(f"「{known.value}{known.unit}」" for known in stated)
    if not told or len(told) > _MOST:
        return ""
    if _kind(amount) == _SPAN and any(known.bound != amount.bound for known in stated):
        return ""
    home = blocks[0].citations[0].passage_id
    cited = {citation.passage_id for block in blocks for citation in block.citations}
    for hit in hits:
        if hit.rank > _BEST and hit.passage.id not in cited:
            continue
        for start, end in sentences(hit.passage.text):
            text = hit.passage.text[start:end]
            if any(_same(amount, known) for known in _counts(text)) and (
                hit.passage.id == home or any(token.norm in nouns for token in tokens(text))
            ):
                return ""
    asked = f"{amount.value}{amount.unit}"
    return (
        f"ご質問の「{asked}」は、見つかった箇所にはありません。本には{'や'.join(told)}とあります。"
    )


def _reply(block: str) -> str:
    """A block without the question of a 問答 that stands above its answer."""
    lines = block.split("\n")
    return "\n".join(lines[1:]) if len(lines) > 1 and re.match("[\\s　]*問", lines[0]) else block


def _counts(text: str) -> list[Amount]:
    return [amount for amount in facts(text).amounts if amount.unit in _UNITS]


def _kind(amount: Amount) -> str:
    return _UNITS[amount.unit]


def _same(one: Amount, other: Amount) -> bool:
    if _kind(one) == _SPAN and one.unit != other.unit:
        return False
    return one.value == other.value and _kind(one) == _kind(other)
