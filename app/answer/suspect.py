"""Passages that speak to a machine instead of a reader: they are shown, but prove nothing.

A book on the shelf may come from anywhere. Text that gives orders to a model, imitates its
messages, carries active content or repeats words to be found is no evidence. This is a
second wall: the first is that every sentence is verified against what it cites.
"""

from __future__ import annotations

import re
from functools import lru_cache

from app.core.japanese import fold, tokens

_ORDERS = re.compile(
    r"(?:これまで|今まで|以前|上記|上|前|先|元|他|全て|すべて)の?(?:全て|すべて)?の?"
    r"(?:指示|命令|ルール|規則|プロンプト|設定|資料)[^。\n]{0,12}(?:無視|忘れ|従わ|破棄|優先し)"
    r"|(?:ignore|disregard|forget|override)[a-z ]{0,30}(?:instruction|prompt|rule|context|above|previous)"
    r"|(?:^|[\s>\"])(?:system|assistant|developer|user) ?:"
    r"|<\|[a-z_]+\|>|\[/?inst\]|<</?sys>>|</?s>|</?(?:think|system|assistant|tool)[^<>]{0,20}>"
    r"|\"(?:evidence|sentences|role|content|tool_calls)\" ?:"
    r"|(?:ai|人工知能|アシスタント|言語モデル|チャットボット|llm)[^。\n]{0,24}(?:答え|回答|出力|従|指示)"
    r"|(?:とだけ?|のみ|だけ)(?:答え|回答し|出力し|返し)(?:ること|なさい|てください|よ[。\n])"
    r"|(?:である|です|だ)と(?:答え|回答す|出力す|返す)(?:ること|なさい|べし)"
    r"|<script|javascript ?:|data ?: ?text/html|!\[[^\]\n]*\]\(",
    re.MULTILINE,
)
_STUFFED_WORDS = 16
_STUFFED_SHARE = 0.4
# Japanese sentences are a third kana and more; lists of nouns have next to none.
_KANA = re.compile("[ぁ-ゖ]")
_KANA_SHARE = 0.06


@lru_cache(maxsize=4096)
def suspicious(text: str) -> bool:
    """Whether a passage gives orders, imitates a conversation or is stuffed with words."""
    folded = fold(text)
    return bool(_ORDERS.search(folded)) or any(map(_stuffed, folded.split("\n")))


def _stuffed(line: str) -> bool:
    """Whether a line of bare words, without particles, says few of them again and again."""
    if len(line) < 2 * _STUFFED_WORDS or len(_KANA.findall(line)) > _KANA_SHARE * len(line):
        return False
    words = [token.norm for token in tokens(line)]
    return len(words) >= _STUFFED_WORDS and len(set(words)) < _STUFFED_SHARE * len(words)
