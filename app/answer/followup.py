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
# いつまで？ 誰が？ 何が要る？: asks, and says of nothing what it asks about.
_BARE = re.compile(
    r"^(?:誰|だれ|どこ|いつ|何|なに|いくら|どう|どの|どれ|どちら|なぜ|なんで)[^、。]{0,15}$"
    # 過ぎたらどうなる？
    r"|^[^、。はがを]{1,8}(?:たら|れば|ないと)(?:どう|何|誰|どこ)[^、。]{0,8}$"
)
# What may be asked of any notification or certificate: 出生届の期限, its 届出人.
_ATTRIBUTE = (
    "(?:届出の?)?(?:期限|期間|締切|場所|方法|窓口|義務者|資格者)|届出[人地先]|申請[人先]|証人|手数料|費用|料金"
    "|(?:必要|添付)(?:な)?書類|必要な?もの|持ち物|書き方|手続き?|要件|条件|効力|年齢|理由|根拠|様式|用紙"
)
_OF_ANY = re.compile(f"^(?:{_ATTRIBUTE})(?:は|って|が|を|に|も|[？?]|$)")
_LAST_ATTRIBUTE = re.compile(f"の(?:{_ATTRIBUTE})$")
_PERSON = re.compile("の(?:証人|届出人|申請人)$")
_OF_PERSON = re.compile("^(?:誰|だれ|何人)")
# What a counter is asked about, by its own words and by those of its clients.
_ACT = (
    "出生|認知|特別養子縁組|養子縁組|縁組|離縁|婚姻|結婚|再婚|離婚|死亡|死産|失踪|入籍|分籍|転籍|就籍|復氏"
    "|改姓|改名|帰化|国籍(?:取得|喪失|留保|選択|離脱)|婚氏続称|親権|後見|戸籍訂正|不受理申出"
)
_NAMED_ACT = re.compile(_ACT)
_DONE = re.compile(f"(?P<act>{_ACT})(?:し(?:て|た)|後)")
# The same in everyday verbs.
_SAID = {"亡くな": "死亡", "生まれ": "出生", "養子に": "養子縁組", "引っ越": "転居", "別れ": "離婚"}
_CHANGED = re.compile(r"(?P<what>[一-鿿]+)を(?:変え|変更)")
# A condition said first: 国外では、 外国人の場合、 死亡したとき、
_CONDITION = re.compile(
    r"^(?P<case>[^、。]{1,40}?)(?P<joint>では|でも|なら|だと|にも|から|からも|の場合|場合|とき|ケース)(?:は|に|には|では)?、"
    r"|^(?P<place>[^、。はがを]{1,12}?)では(?=[^、。]+は)"
)
_ABOUT = re.compile(r"^(?P<topic>[^。]{1,40}?)について、")
# A noun phrase: no inflected word in it.
_NOUNS = re.compile(r"(?:[一-鿿々〇ァ-ヺーA-Za-z0-9０-９]|の|や|・|子ども|こども|ふりがな|お|ご)+")
_WITHIN = re.compile(r"(?P<whole>[一-鿿々ァ-ヺーの]+)に[一-鿿々ァ-ヺー]+")
# Things of one kind end alike: 婚姻届 and 離婚届, 戸籍 and 除籍.
_KINDS = "届書証法券権籍氏"
_DOCUMENT = re.compile("(?:.{1,20}[、の])?[一-鿿ァ-ヺ]+?(?:届|届出|申出|申請)(?=の)")
_NOTIFICATION = re.compile("[一-鿿ァ-ヺ]+?(?:届(?!出|け)|申出|申請)")
_OWN_TOPIC = re.compile(
    f"^[^、。]{{0,20}}?(?:{_ACT}|[一-鿿ァ-ヺ]届(?!出|け))[^、。]{{0,10}}?(?:は|って)"
)
_HANDED_IN = re.compile("出(?:す|せ|し)|提出|届け")
_PARTICLES = re.compile("(?:では|には|とは|って|[はがをにでの])+$")
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
            return f"{_matter(before, rest)}の{rest}"
        return f"{before}。{core}"
    case = _CASE.match(core)
    if case and (connected or not case["rest"].strip(_END)):
        rest = case["rest"].strip(_END)
        return (
            f"{case['case']}{case['word']}、{_without_condition(before, case['word'])}"
            if not rest
            else f"{_matter(before, rest)}について、{case['case']}{case['word']}は{rest}"
        )
    if _BARE.match(core) and not _NAMED_ACT.search(core):
        return f"{_matter(before, core)}は{core}"
    another = _ANOTHER.match(core)
    if another and not _ASKING.search(another["case"]):
        joint = another["joint"]
        return f"{another['case']}{joint}、{_without_condition(before, joint)}"
    plain = _PLAIN.match(core)
    if (
        plain
        and _NOUNS.fullmatch(plain["noun"])
        and (connected or core.rstrip(_END).endswith(("は", "って")))
    ):
        return _of_noun(plain["noun"], before)
    if _OF_ANY.match(core):
        return f"{_matter(before, core)}の{core}"
    if not connected or _OWN_TOPIC.match(core):
        return ""
    return f"{_matter(before, core)}について、{core}"


def _of_noun(noun: str, before: str) -> str:
    """A bare noun after a question: another of its kind (死亡届 after 出生届), a person, or a part of it."""
    kind = noun[-1]
    other = re.search(f"[一-鿿ァ-ヺ]+?{kind}", before) if kind in _KINDS else None
    an_act = _NAMED_ACT.fullmatch(noun)
    if not other and an_act:
        other = _NAMED_ACT.search(before)
    if other and other[0] != noun:
        return before.replace(other[0], noun, 1)
    if _NAMED_ACT.match(noun) and not an_act:
        return ""
    if an_act or _WHO.search(noun):
        return f"{noun}の場合、{_without_condition(before, '場合')}"
    return f"{_matter(before, noun)}の{noun}は"


def _without_condition(question: str, joint: str) -> str:
    """A question without the condition that another of its kind takes the place of."""
    condition = _CONDITION.match(question)
    same = condition and (condition["joint"] or "では").endswith(joint)
    return question[condition.end() :] if condition and same else question


def _matter(question: str, asked: str) -> str:
    """What a question is about, without what was asked of it (期限, 届出人), and its condition."""
    condition = _CONDITION.match(question)
    main = question[condition.end() :] if condition else question
    topic = _topic(main)
    if not (_PERSON.search(topic) and _OF_PERSON.match(asked)):
        topic = _LAST_ATTRIBUTE.sub("", topic)
    if not condition:
        return topic
    case = condition["case"] or condition["place"]
    joint = condition["joint"] or "では"
    if joint == "では":
        return f"{case}での{topic}"
    if joint in ("の場合", "場合", "とき", "ケース"):
        return f"{case}{joint}の{topic}"
    return f"{case}の場合の{topic}"


def _topic(question: str) -> str:
    """What a question is about: its noun phrase, or the act that its predicate names."""
    last = re.split("[。？?]", question)[-1] or question
    about = _ABOUT.match(last)
    if about:
        return about["topic"]
    head, found, _ = last.partition("は")
    if found and 1 < len(head) <= 40:
        topic = head.split("、")[-1] or head
        # 婚姻届に証人は要るか: about 婚姻届.
        whole = _WITHIN.fullmatch(topic)
        topic = whole["whole"] if whole else topic
        if not re.search("[てらばとの]$", topic):
            return _PARTICLES.sub("", topic)
    changed = _CHANGED.search(last)
    if changed:
        return f"{changed['what']}の変更"
    phrase = re.split("[はがをにで、]", last)[0]
    # 夫が亡くなった is about a death, not about the husband.
    if _NOUNS.fullmatch(phrase) and last[len(phrase) :][:1] != "が":
        return _PARTICLES.sub("", phrase)
    notification = _NOTIFICATION.search(last)
    if notification:
        return notification[0]
    done = _DONE.search(last)
    if done:
        return f"{done['act']}後"
    act = _NAMED_ACT.search(last)
    if act:
        return act[0]
    for verb, named in _SAID.items():
        if verb in last:
            return named
    if _NOUNS.fullmatch(phrase):
        return _PARTICLES.sub("", phrase)
    bare = re.sub(
        r"(?:できる|必要|要る|いる|よい|いい|ある|です|ます|たい)?(?:か|の|のか)?$", "", last
    )
    return _PARTICLES.sub("", bare)
