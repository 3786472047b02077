"""The only room that speaks to a language model: any OpenAI-compatible server, or a LlamaIndex LLM.

What both have in common is here; `server` and `llamaindex` hold the two. What a model writes
is verified the same way after each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from app.core.errors import ShioriError

Mode = Literal["json_schema", "json_object", "tags"]
State = Literal["loading", "ready", "failed"]
Message = Mapping[str, str]
Schema = Mapping[str, Any]
T = TypeVar("T")

# What a server is taken to hold when it does not say: the smallest default in use.
DEFAULT_CONTEXT = 4096
# What a model that thinks first may use for it, at most half of the context.
_THOUGHTS = 4096

DOWN: dict[Mode, Mode] = {"json_schema": "json_object", "json_object": "tags"}


class ModelFailed(ShioriError):
    """The model gave no usable answer; the message says why, in words for the user."""

    code = "model_failed"
    status = 503


class ModelBusy(ModelFailed):
    """Too many answers are being written already."""


class FormatRefused(ModelFailed):
    """The server does not take the response format after all."""


class Cancelled(Exception):
    """Whoever asked has left."""


@dataclass(frozen=True, slots=True)
class Ability:
    """What a model can do. `context` is tokens for prompt and answer; `counts` whether it counts tokens.

    `streams` says whether it sends its answer piece by piece, `usage` whether it tells the
    tokens it was given at the end of that; `thinks` whether it thinks before it answers, and
    `unopened` that its thoughts begin without a mark.
    """

    model: str
    mode: Mode
    context: int
    counts: bool = False
    streams: bool = True
    usage: bool = False
    thinks: bool = False
    unopened: bool = False

    @property
    def thoughts(self) -> int:
        """Tokens to leave for thoughts."""
        return min(_THOUGHTS, self.context // 2) if self.thinks else 0


class LanguageModel(Protocol):
    """A model that writes text piece by piece."""

    @property
    def name(self) -> str:
        """What it is called, as far as that is known by now."""
        ...

    @property
    def state(self) -> State:
        """Whether it has been asked what it can do; asks nothing itself."""
        ...

    def ability(self) -> Ability:
        """What it can do; raises ModelFailed where it cannot be asked."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text; never fewer than there are, as far as that can be known."""
        ...

    def write(
        self,
        messages: Sequence[Message],
        *,
        mode: Mode,
        schema: Schema,
        max_tokens: int,
        deadline: float,
        cancelled: threading.Event,
    ) -> Iterator[str]:
        """Pieces of the answer, thoughts left out. `deadline` is a time.monotonic().

        Raises ModelFailed for every failure, an answer cut short included, Cancelled when told.
        """
        ...

    def close(self) -> None:
        """Ends what is being asked."""
        ...


def estimate(text: str) -> int:
    """Tokens of a text when nobody counts them: one for two bytes, more than tokenizers need for Japanese."""
    return len(text.encode()) // 2 + 1


def run_with(step: Callable[[Mode], Iterator[T]], mode: Mode) -> Iterator[T]:
    """Runs `step` with the best format the server takes, stepping down where it refuses one."""
    while True:
        try:
            yield from step(mode)
            return
        except FormatRefused:
            if mode not in DOWN:
                raise
            mode = DOWN[mode]
