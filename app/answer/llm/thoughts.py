"""What a model thinks before it answers, which nobody is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TAGS = ("<think>", "<thinking>", "<reasoning>", "<|channel|>analysis", "<|channel|>commentary")
OPENING = re.compile("|".join(map(re.escape, _TAGS)))
CLOSING = re.compile(r"</(?:think|thinking|reasoning)>|<\|channel\|>final<\|message\|>")


def without_thoughts(pieces: Iterator[str], unopened: bool = False) -> Iterator[str]:
    """The pieces without what stands between <think> and </think>, however they are cut.

    With `unopened` the thoughts begin at once, without a mark.
    """
    held, inside = "", unopened
    for piece in pieces:
        held += piece
        while match := (CLOSING if inside else OPENING).search(held):
            if not inside and match.start():
                yield held[: match.start()]
            held, inside = held[match.end() :], not inside
        if inside:
            continue
        at = held.rfind("<")
        begun = at >= 0 and any(tag.startswith(held[at:]) for tag in _TAGS)
        safe = at if begun else len(held)
        if safe:
            yield held[:safe]
        held = held[safe:]
    if held and not inside:
        yield held
