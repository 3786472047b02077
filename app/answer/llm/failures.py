"""What can go wrong with a language model, in words for the user."""

from __future__ import annotations

import httpx

from app.answer.llm import FormatRefused, ModelFailed

HINT = "言語モデルのサーバーの状態と記録を確かめてください。"
HINT_CONTEXT = "サーバーの文脈長 (context) を増やすか、設定 llm_context を直してください。"

# What a server that speaks no proper HTTP or JSON can make of the reading.
GARBAGE = (
    httpx.HTTPError,
    httpx.InvalidURL,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
)


def silent() -> ModelFailed:
    """Nothing came in time."""
    return ModelFailed("言語モデルから時間内に答えがありませんでした。", hint=HINT)


def broken(error: BaseException) -> ModelFailed:
    """What came was no answer, or nobody was there."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ModelFailed("言語モデルのサーバーにつながりません。", hint=HINT)
    return ModelFailed("言語モデルの答えを読み取れませんでした。", hint=HINT)


def refused(status: int, content: bytes) -> ModelFailed:
    """The server answered with an error; `content` is what it says of it."""
    text = content.decode(errors="replace").lower()
    if status in (401, 403):
        return ModelFailed(
            "言語モデルのサーバーがAPIキーを受け付けません。",
            hint="設定 llm_api_key を直してください。",
        )
    if status in (400, 413) and "context" in text:
        return ModelFailed("質問と根拠が言語モデルの文脈長を超えました。", hint=HINT_CONTEXT)
    if status in (400, 422) and any(w in text for w in ("response_format", "schema", "grammar")):
        return FormatRefused("言語モデルが出力の形を受け付けません。", hint=HINT)
    return ModelFailed(f"言語モデルのサーバーが誤りを返しました ({status})。", hint=HINT)
