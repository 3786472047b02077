"""The answer without a model: the best sentences of the best passages, verbatim.

A 問答's answer comes before its explanation; a sentence is widened to the proviso
(ただし書) that limits it, to the list it announces, and to its neighbours while it is
short. At most three blocks. Sentence and passage scores are weighed as equals, and a
sentence that repeats a chosen one steps back (Carbonell and Goldstein 1998, MMR).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.answer.abstain import inquiry, reason
from app.answer.answer import Answer, Block
from app.answer.weigh import (
    Wanted,
    confidence,
    held,
    is_near,
    lacks,
    named_ids,
    near_headings,
    passage_tokens,
    speaks_of,
)
from app.core.book import Citation, Hit
from app.core.japanese import bigrams, sentences
from app.search.pipeline import SearchResult

MAX_BLOCKS = 3

# Below this confidence the passages found have nothing to do with the question: nothing to
# ask the Legal Affairs Bureau about.
_NEAR = 0.3

# Passages that may speak: the best few, and none far below the best in score or in coverage.
_PASSAGES = 8
_SHARE_OF_SCORE = 0.4
_SHARE_OF_COVERAGE = 0.7
# A block far below the best one is not shown.
_SHARE_OF_BLOCK = 0.55

# Chosen on a third of jsquad-valid: gold answer shown .93, in the first block .87.
_SENTENCE, _GRAMS, _PASSAGE = 0.5, 0.3, 0.5
_MARKED = 0.15
_TOLD = 0.2
_ROW = 0.15
_REPEATS = 0.3

# Characters up to which a sentence takes in its neighbours, and a list its items.
_SHORT = 160
_LIST = 400

_PROVISO = re.compile(
    r"[\s　]*(?:ただし|但し|但|もつとも|もっとも|この場合において|この限りで(?:な|は)い)"
)
_ANSWER_MARK = re.compile(r"[\s　]*(?:答|回答|Ａ|A)(?=[\s　：:．.])")
_LABEL = re.compile(r"[\s　]*(?:【[^】]{1,12}】|〔[^〕]{1,12}〕)")
_SOURCES = re.compile(r"[\s　]*【(?:根拠|参照|参考|参考文献|先例|条文)】")
_QUESTION = re.compile(r"か[。．]?$|[？?]$")
_HEADING = re.compile(
    r"[0-9０-９\s　]{0,6}(?:問|設問|質問|Ｑ|Q|第)\s*[0-9０-９一二三四五六七八九十百千〇]+"
    r"(?:の[0-9０-９一二三四五六七八九十]+)?[章節款編]?[\s　：:．.]"
)
_TERM = re.compile(
    r"(?:とは|って)?(?:何|なに|どういう意味|どんな意味)?(?:のこと)?(?:です)?か?[。？?]?$|[「」『』]"
)
_LONGEST_TERM = 12
_LEADER = re.compile(r"[^。]*[\s　…‥・]+[0-9０-９]+$")
_WHO = re.compile("誰|だれ|どなた")
# Who somebody is, not what he does: 届出義務者 and 届出人 name nobody.
_PERSON = re.compile(
    "父|母(?!国)|夫(?!婦)|妻|配偶者|本人|親族|同居者|家主|地主|管理人|後見人|保佐人|補助人|親権者|法定代理人|当事者"
    "|養親|養子(?!縁組)|医師|助産師|検察官|世帯主|市区?町村長"
)
# So many different ones make a sentence that says who.
_PERSONS = 2
_LIST_AHEAD = re.compile(r"次の|次に掲げる|左の|左に掲げる|以下の|次のとおり")
_ITEM = re.compile(
    r"[\s　]*(?:[・●○◆■\-]|[①-⑳]|[（(]?[0-9０-９一二三四五六七八九十イロハニホヘトア-オ]+[)）．.、\s　])"
)


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Characters `start:end` of a passage; `marked` begins a 問答's answer."""

    start: int
    end: int
    line: int
    marked: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence that may answer: the `number`-th of its passage, whose heading ends at `heading`."""

    score: float
    hit: Hit
    body: tuple[_Sentence, ...]
    number: int
    grams: frozenset[str]
    heading: int


def extract(result: SearchResult, asked: Wanted, threshold: float) -> Answer:
    """The extractive answer to a search.

    `asked` is what the question wants. Below `threshold` confidence the question counts as
    not answered by the books; the answer then says why and drafts an inquiry.
    """
    sure = confidence(result, asked)
    blocks = best_blocks(result, asked) if sure >= threshold else ()
    if not blocks:
        # A reference and nothing else (戸籍法300条) is no question to ask an office.
        article = bool(named_ids(result.question) and asked.nouns)
        near = bool(result.hits) and (article or (sure >= _NEAR and is_near(result, asked)))
        draft = inquiry(result) if near else ""
        return Answer(False, (), reason(result, asked, near=near), sure, inquiry=draft)
    return Answer(True, blocks, "", sure)


def best_blocks(result: SearchResult, asked: Wanted) -> tuple[Block, ...]:
    """Up to three verbatim blocks that answer best, best first."""
    grams = frozenset(result.question.grams)
    pool = sorted(
        (
            c
            for hit, share in speaking(result, asked)
            for c in _candidates(hit, share, asked, result.question.text, grams)
        ),
        key=lambda c: (-c.score, c.hit.rank, c.number),
    )[:30]
    if not pool:
        return ()
    least = pool[0].score * _SHARE_OF_BLOCK
    chosen: list[tuple[_Candidate, Citation]] = []
    while pool and len(chosen) < MAX_BLOCKS:
        best = max(pool, key=lambda c: c.score - _REPEATS * _repeats(c, chosen))
        pool.remove(best)
        if best.score < least:
            break
        if any(_inside(best, citation) for _, citation in chosen):
            continue
        start, end = _widened(best)
        if _WHO.search(result.question.text):
            end = _with_persons(best, start, end)
        sentence = best.body[best.number]
        for other, citation in chosen:
            if other.hit.passage.id == best.hit.passage.id:
                start = max(start, citation.end) if citation.end <= sentence.start else start
                end = min(end, citation.start) if citation.start >= sentence.end else end
        start, end = _trimmed(best.hit.passage.text, start, end)
        chosen.append((best, Citation(best.hit.passage.id, start, end)))
    return tuple(
        Block(candidate.hit.passage.text[citation.start : citation.end], (citation,))
        for candidate, citation in chosen
    )


def speaking(result: SearchResult, asked: Wanted) -> list[tuple[Hit, float]]:
    """The passages that may speak, with what each adds to its sentences' scores (0 to 1)."""
    hits = result.hits[:_PASSAGES]
    best = max((hit.score for hit in hits), default=0.0) or 1.0
    named = named_ids(result.question)
    if named:
        return [(hit, hit.score / best) for hit in hits if speaks_of(hit, named)]
    # 離縁 is not 離婚: where some passage holds all the nouns, those that lack one are silent.
    whole = [hit for hit in hits if not lacks(hit, asked)]
    covered = [(hit, held(hit, asked)) for hit in whole or hits]
    most = max((share for _, share in covered), default=0.0)
    return [
        (hit, hit.score / best * share)
        for hit, share in covered
        if hit.score >= _SHARE_OF_SCORE * best and share >= _SHARE_OF_COVERAGE * most
    ]


def _candidates(
    hit: Hit, passage_score: float, asked: Wanted, question: str, grams: frozenset[str]
) -> Iterator[_Candidate]:
    text = hit.passage.text
    body = body_sentences(hit)
    heading_end = _heading_end(text, hit.passage.section_path)
    words = _words_by_sentence(text, body)
    heading = near_headings(hit)
    term = _TERM.sub("", question)
    about = hit.passage.about
    reply = _reply(text, body)
    asks = float(bool(asked.saying))
    for number, (sentence, there) in enumerate(zip(body, words, strict=True)):
        said = text[sentence.start : sentence.end]
        own = frozenset(bigrams(said))
        alike = own
        if sentence.marked:
            # An answer says what its question asks.
            alike = own | frozenset(bigrams(text[:heading_end]))
            said = reply
        told, named = asked.said_of(said)
        # An answer speaks of what its question says, a sentence in part of what its heading says.
        covered = asked.coverage(there | heading | named, about)
        if not sentence.marked:
            covered = (covered + asked.coverage(there | named)) / 2
        score = (
            _SENTENCE * covered
            + _GRAMS * len(grams & alike) / (len(grams) or 1)
            + _PASSAGE * passage_score
            + _MARKED * ((sentence.marked and told >= asks) or _defines(said, term))
            + _TOLD * told
            - _ROW * _is_row(said)
        )
        yield _Candidate(score, hit, body, number, own, heading_end)


def _reply(text: str, body: Sequence[_Sentence]) -> str:
    """The whole answer of a 問答, to the end of its paragraph; empty elsewhere."""
    marked = next((sentence for sentence in body if sentence.marked), None)
    return text[marked.start :].split("\n", 1)[0] if marked else ""


def _is_row(sentence: str) -> bool:
    """Whether a sentence is the row of a table, torn from its head."""
    return "。" not in sentence and len(re.split(r"[\s　]+", sentence.strip())) > 2


def _defines(sentence: str, term: str) -> bool:
    """Whether a sentence says what a term is, where the question is no more than a term."""
    return len(term) <= _LONGEST_TERM and (f"{term}とは" in sentence or f"{term}という" in sentence)


def body_sentences(hit: Hit) -> tuple[_Sentence, ...]:
    """The sentences of a passage that can answer: no heading, question, source list or contents line."""
    text = hit.passage.text
    found: list[_Sentence] = []
    heading_end = _heading_end(text, hit.passage.section_path)
    for start, end in sentences(text):
        sentence = text[start:end]
        if start < heading_end or len(sentence) < 3 or _QUESTION.search(sentence):
            continue
        if _SOURCES.match(sentence) or _HEADING.match(sentence) or _LEADER.fullmatch(sentence):
            continue
        line = text.count("\n", 0, start)
        found.append(_Sentence(start, end, line, bool(_ANSWER_MARK.match(sentence))))
    return tuple(found)


def _heading_end(text: str, path: Sequence[str]) -> int:
    """Where the heading with which a passage's text begins ends; 0 where it has none."""
    if not path or not text.startswith(path[-1][:8]):
        return 0
    end = text.find("\n")
    # A heading that runs over the line: 問97　…取れる / か。
    broken = re.compile(r"[^\n]{1,8}か。?(?=\n)").match(text, end + 1) if end > 0 else None
    return broken.end() if broken and path[-1][-1] not in "。か？?" else max(end, 0)


def _words_by_sentence(text: str, body: Sequence[_Sentence]) -> list[frozenset[str]]:
    words: list[set[str]] = [set() for _ in body]
    at = 0
    for token in passage_tokens(text):
        while at < len(body) and body[at].end <= token.start:
            at += 1
        if at < len(body) and token.start >= body[at].start:
            words[at].add(token.norm)
    return [frozenset(there) for there in words]


def _widened(candidate: _Candidate) -> tuple[int, int]:
    """A sentence with what belongs to it: provisos, its list, its paragraph while that is short."""
    text, body, number = candidate.hit.passage.text, candidate.body, candidate.number

    def follows(last: int, pattern: re.Pattern[str]) -> bool:
        return last + 1 < len(body) and bool(pattern.match(text, body[last + 1].start))

    def with_provisos(last: int) -> int:
        while follows(last, _PROVISO):
            last += 1
        return last

    first = last = _list_head(text, body, number)
    while first > 0 and _PROVISO.match(text, body[first].start) and _joined(body, first):
        first -= 1
    if body[first].marked:
        while _same_paragraph(text, body, last) and _fits(body, first, last + 1, _LIST):
            last += 1
    if _LIST_AHEAD.search(text, body[last].start, body[last].end):
        while follows(last, _ITEM) and _fits(body, first, last + 1, _LIST):
            last += 1
    last = with_provisos(last)
    if body[first].marked and first == 0 and 0 < candidate.heading <= _SHORT:
        return 0, body[last].end
    if (
        last == number
        and _same_paragraph(text, body, last)
        and _fits(body, first, last + 1, _SHORT)
    ):
        last = with_provisos(last + 1)
    before = first - 1
    if (
        first == number
        and _same_paragraph(text, body, before)
        and _fits(body, before, last, _SHORT)
    ):
        first = before
    return body[first].start, body[last].end


def _with_persons(candidate: _Candidate, start: int, end: int) -> int:
    """Where a block ends that says who: with the sentence after it that names them, if it names nobody.

    届出義務者が届け出る leaves it to the 解説 that these are 同居の親族, その他の同居者 …
    """
    text = candidate.hit.passage.text
    if _PERSON.search(text, start, end):
        return end
    after = next((sentence for sentence in candidate.body if sentence.start >= end), None)
    if after is None or after.end - start > _LIST:
        return end
    named = set(_PERSON.findall(text, after.start, after.end))
    return after.end if len(named) >= _PERSONS else end


def _list_head(text: str, body: Sequence[_Sentence], number: int) -> int:
    """The sentence that announces the list an item stands in; the sentence itself elsewhere."""
    head = number
    while head > 0 and _ITEM.match(text, body[head].start):
        head -= 1
    announces = _LIST_AHEAD.search(text, body[head].start, body[head].end)
    return head if announces and _fits(body, head, number, _LIST) else number


def _same_paragraph(text: str, body: Sequence[_Sentence], number: int) -> bool:
    """Whether the sentence after `number` stands in the same printed paragraph."""
    return (
        0 <= number < len(body) - 1
        and body[number].line == body[number + 1].line
        and not _LABEL.match(text, body[number + 1].start)
    )


def _joined(body: Sequence[_Sentence], number: int) -> bool:
    return body[number].line - body[number - 1].line <= 1


def _fits(body: Sequence[_Sentence], first: int, last: int, limit: int) -> bool:
    return body[last].end - body[first].start <= limit


def _repeats(candidate: _Candidate, chosen: Sequence[tuple[_Candidate, Citation]]) -> float:
    """How much of a sentence (0 to 1) the chosen ones already say."""
    return max(
        (
            len(candidate.grams & other.grams) / max(1, min(len(candidate.grams), len(other.grams)))
            for other, _ in chosen
        ),
        default=0.0,
    )


def _inside(candidate: _Candidate, citation: Citation) -> bool:
    sentence = candidate.body[candidate.number]
    return (
        citation.passage_id == candidate.hit.passage.id
        and citation.start <= sentence.start < citation.end
    )


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without white space at its ends."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
