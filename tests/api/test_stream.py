from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest

from app.answer.compose import Answerer, Writer
from app.answer.gate import Gate
from app.answer.llm import Ability, Cancelled
from app.answer.verify import Verifier
from app.main import Shiori

QUESTION = "離婚後も結婚していたときの名字を名乗りたい"
STREAM = {"Accept": "text/event-stream"}


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_passages_then_sentences_then_the_whole(service: str) -> None:
    body = {"query": QUESTION, "k": 3}
    with httpx.stream("POST", f"{service}/v1/ask", json=body, headers=STREAM) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        received = list(events(response))
    names = [name for name, _ in received]
    assert names[:3] == ["passage"] * 3
    assert names[-1] == "done"
    done = received[-1][1]
    assert [data for name, data in received if name == "sentence"] == done["answer"]
    assert done["answered"]


def test_the_stream_says_what_plain_json_says(service: str) -> None:
    body = {"query": QUESTION, "k": 3}
    plain = httpx.post(f"{service}/v1/ask", json=body).json()
    with httpx.stream("POST", f"{service}/v1/ask", json=body, headers=STREAM) as response:
        *_, (_, done) = events(response)
    for each in (plain, done):
        each.pop("took_ms")
    assert plain == done
    spans = plain["answer"][0]["spans"]
    texts = {hit["passage_id"]: hit["text"] for hit in plain["hits"]}
    [span] = spans
    assert texts[span["passage_id"]][span["start"] : span["end"]] == plain["answer"][0]["text"]


def test_curl_reads_the_stream(service: str) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl がありません")
    body = json.dumps({"query": QUESTION, "k": 1})
    command = [curl, "-sN", f"{service}/v1/ask", "-H", "Content-Type: application/json"]
    command += ["-H", "Accept: text/event-stream", "-d", body]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.decode().splitlines()
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names[0] == "passage"
    assert names[-1] == "done"
    assert "sentence" in names


def test_a_bad_question_is_an_error_status(service: str) -> None:
    response = httpx.post(f"{service}/v1/ask", json={"query": " "}, headers=STREAM)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "bad_request"


def test_a_follow_up_is_read_with_its_history(service: str) -> None:
    body = {"query": "では離縁の場合は？", "history": [QUESTION]}
    answered = httpx.post(f"{service}/v1/ask", json=body).json()
    assert "離縁" in answered["query"]
    assert "名字" in answered["query"]
    assert any(answered["query"] in notice for notice in answered["notices"])


class Slow:
    """A model that writes nothing until the user leaves."""

    def __init__(self) -> None:
        self.left = threading.Event()

    def ability(self) -> Ability:
        return Ability("slow", "tags", 8192)

    def count(self, text: str) -> int:
        return len(text)

    def write(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        cancelled: threading.Event,
        deadline: float,
        **_: Any,
    ) -> Iterator[str]:
        while time.monotonic() < deadline:
            yield " "
            if cancelled.wait(0.05):
                self.left.set()
                raise Cancelled


def test_leaving_frees_the_model(
    product: Shiori,
    serve: Callable[[Shiori], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Slow()
    gate = Gate(1, 0)
    writer = Writer(model, Verifier(product.glossary), gate=gate, seconds=30)
    monkeypatch.setattr(product, "answerer", Answerer(product.searcher, writer=writer))
    with serve(product) as url:
        body = {"query": QUESTION, "k": 3}
        with httpx.stream("POST", f"{url}/v1/ask", json=body, headers=STREAM) as response:
            received = events(response)
            names = [next(received)[0] for _ in range(4)]
            assert names == ["passage", "passage", "passage", "status"]
        assert model.left.wait(10)
        with gate.place() as place:  # the only place is free again
            assert list(place.wait(time.monotonic() + 5, threading.Event())) == []
