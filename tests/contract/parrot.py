"""A LlamaIndex LLM that repeats a sentence of the first passage it is given, and adds one of its own."""

from __future__ import annotations

import re
from typing import Any

from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

INVENTED = "手数料は99円である。"


class Parrot(CustomLLM):
    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=16384, model_name="parrot")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        given = re.search(r"<<\w+ 1>>[^\n]*\n(.*?)<<", prompt.split("資料:", 1)[1], re.DOTALL)
        sentence = given[1].strip().split("\n")[-1] if given else ""
        return CompletionResponse(text=f"[1] {sentence}\n[1] {INVENTED}\n")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        text = self.complete(prompt).text
        yield CompletionResponse(text=text, delta=text)
