"""Which notifications (届出) a passage is about, by the headings above it, else by its words.

A counter knows what lies before it: a birth, a marriage. Books say so in their headings
far more surely than in their sentences, which name other acts in passing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.core.book import Passage
from app.core.japanese import fold

# The order is that of the registers; a word another act contains is kept apart from it.
_WORDS = {
    "出生": r"出生|命名",
    "認知": r"認知(?!症)|準正|嫡出推定|嫡出否認",
    "養子縁組": r"(?<!特別養子)縁組",
    "特別養子": r"特別養子",
    "離縁": r"離縁|縁氏続称",
    "婚姻": r"(?<!内縁の)婚姻",
    "離婚": r"離婚|婚氏続称",
    "親権・後見": r"親権|未成年者?の?後見",
    "死亡・失踪": r"死亡|失踪|死産",
    "入籍": r"入籍",
    "分籍": r"分籍",
    "転籍・就籍": r"転籍|就籍",
    "氏名の変更": r"氏名?の変更|名の変更|氏の振り仮名|氏名の振り仮名|復氏|改姓|改名",
    "国籍": r"国籍",
    "戸籍の訂正": r"戸籍の?訂正|職権訂正|訂正の申請",
    "不受理申出": r"不受理",
    "証明書の請求": r"証明書の?(?:交付|請求)|謄本|抄本|広域交付|全部事項証明|第三者請求|職務上請求",
    "住民票・附票": r"住民票|附票|転入|転出|転居",
    "埋火葬": r"埋葬|火葬|改葬",
}
ACTS = tuple(_WORDS)
_PATTERNS = {act: re.compile(words) for act, words in _WORDS.items()}
# A word that occurs once in a text may be but an example.
_OFTEN = 2


def acts_of(passage: Passage) -> tuple[str, ...]:
    """The acts a passage is about, in the order of `ACTS`; none where it speaks of notifications at large."""
    # From the innermost heading outwards: 第二節 離婚 under 第五章 婚姻及び離婚 is about divorce.
    for heading in reversed(passage.section_path):
        found = named(heading)
        if found:
            return found
    text = fold(passage.text)
    return tuple(act for act in ACTS if len(_PATTERNS[act].findall(text)) >= _OFTEN)


def is_about(passage: Passage, acts: Iterable[str]) -> bool:
    """Whether a passage is about one of these acts."""
    wanted = set(acts)
    return bool(wanted.intersection(acts_of(passage)))


def named(text: str) -> tuple[str, ...]:
    """The acts whose words occur in a text, in the order of `ACTS`."""
    folded = fold(text)
    return tuple(act for act in ACTS if _PATTERNS[act].search(folded))
