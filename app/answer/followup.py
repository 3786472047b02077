"""A follow-up question as a whole one: では外国人の場合は? after 婚姻届の証人は誰か.

Rules only, and the result is shown to the user: a wrong reading must be seen. A question
that stands by itself is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Earlier questions that are looked at, and the length of the whole question they may make.
MAX_HISTORY = 6
MAX_CHARS = 300

_JOINER = re.compile(
    r"^[\s　]*(?:では|じゃあ?|それでは|それなら|それじゃあ?|ちなみに|あと|なお|また|で)[、,\s　]*"
)
_CASE = re.compile(
    r"^(?P<case>.{1,40}?の?)(?P<word>場合|とき|ケース)(?:は|だと|なら|では|には)?(?P<rest>.*)$"
)
_POINTER = re.compile(
    r"^(?:(?P<whose>(?:その|この|あの)(?:場合の|とき(?:の)?|届の|届出の|手続の)?|それの)|(?P<what>それ|これ|そちら|同じこと)(?=[はがをにもで]))"
)
# 国外では？ 外国人でも？ 離縁なら？: another case of the same question.
_ANOTHER = re.compile(
    r"^(?P<case>[^。、]{1,20}?)(?P<joint>では|でも|なら|だと|にも|からも?)[？?。]*$"
)
_WHO = re.compile(
    r"(?:外国人|日本人|未成年者?|成年者?|成年被後見人|父|母|夫|妻|養子|実子|胎児|本人|配偶者|国籍者)$"
)
_PLAIN = re.compile(r"^(?P<noun>[^はがをにで、。？?]{1,12})(?:は|って|については)?[？?。]*$")
_ASKING = re.compile(
    r"(?:誰|だれ|どこ|いつ|何|なに|いくら|どう|どの|なぜ|できる|要る|必要|よい|いい|ある)"
)
# Things of one kind end alike: 婚姻届 and 離婚届, 戸籍 and 除籍.
_KINDS = "届書証法券権籍氏"
_DOCUMENT = re.compile("(?:.{1,20}[、の])?[一-鿿ァ-ヺ]+?(?:届|届出|申出|申請)(?=の)")
_HANDED_IN = re.compile("出(?:す|せ|し)|提出|届け")
_END = "。．？?　 "


def standalone(question: str, history: Sequence[str]) -> str:
    """The question with what it takes from earlier ones (oldest first), or as it is."""
    whole = ""
    for earlier in [*history[-MAX_HISTORY:], question]:
        whole = _joined(earlier.strip(), whole)
    return whole


def _joined(question: str, before: str) -> str:
    if not before or not question:
        return question
    core = _JOINER.sub("", question)
    joined = _read(core.strip(), before.strip(_END), connected=core != question)
    return joined if joined and len(joined) <= MAX_CHARS else question


def _read(core: str, before: str, *, connected: bool) -> str:
    pointer = _POINTER.match(core)
    if pointer:
        rest = core[pointer.end() :]
        if pointer["what"]:
            topic = _topic(before)
            document = _DOCUMENT.match(topic)
            # 婚姻届の証人は: what is handed in is the notification, not the witness.
            return (document[0] if document and _HANDED_IN.search(rest) else topic) + rest
        if not rest.startswith(("場合", "とき")):
            return f"{_topic(before)}の{rest}"
        return f"{before}。{core}"
    case = _CASE.match(core)
    if case and (connected or not case["rest"].strip(_END)):
        rest = case["rest"].strip(_END)
        return (
            f"{case['case']}{case['word']}、{before}"
            if not rest
            else f"{_topic(before)}について、{case['case']}{case['word']}は{rest}"
        )
    another = _ANOTHER.match(core)
    if another and not _ASKING.search(another["case"]):
        return f"{another['case']}{another['joint']}、{before}"
    plain = _PLAIN.match(core)
    if plain and (connected or core.rstrip(_END).endswith(("は", "って"))):
        return _of_noun(plain["noun"], before)
    return f"{before}。{core}" if connected else ""


def _of_noun(noun: str, before: str) -> str:
    """A bare noun after a question: another of its kind (死亡届 after 出生届), a person, or a part of it."""
    kind = noun[-1]
    other = re.search(f"[一-鿿ァ-ヺ]+?{kind}", before) if kind in _KINDS else None
    if other and other[0] != noun:
        return before.replace(other[0], noun, 1)
    if _WHO.search(noun):
        return f"{noun}の場合、{before}"
    return f"{_topic(before)}の{noun}は"


def _topic(question: str) -> str:
    """What a question is about: what stands before は, where an asking part follows it."""
    last = re.split("[。？?]", question)[-1] or question
    head, found, tail = last.partition("は")
    if found and 1 < len(head) <= 40 and _ASKING.search(tail):
        return head.split("、")[-1] or head
    return re.sub(r"(?:できる|必要|要る|いる|よい|いい|ある|です|ます)?(?:か|の|のか)?$", "", last)
