"""Language models: a real llama.cpp server, a scripted one for its faults, and a LlamaIndex LLM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.answer import prompt
from app.answer.compose import Answered, Answerer, Found, Sentence, Writer
from app.answer.gate import Gate
from app.answer.llm import Ability, Cancelled, LanguageModel, ModelFailed
from app.answer.llm.llamaindex import LlamaIndexModel
from app.answer.llm.server import OpenAIServer
from app.answer.llm.thoughts import without_thoughts
from app.answer.verify import Verifier
from app.core.book import Hit
from app.core.settings import Settings
from app.main import Shiori, language_model

QUESTION = "離婚後も結婚していたときの名字を名乗りたい"
SERVER = Path(__file__).with_name("llama_server.py")


@contextmanager
def llama(model: Path, context: int, slots: int, key: str = "") -> Iterator[tuple[str, int]]:
    """Address and process id of a running server."""
    command = [sys.executable, str(SERVER), str(model), str(context), str(slots)]
    process = subprocess.Popen(
        [*command, key] if key else command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip(), process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    from tests.contract.llama_server import write_model

    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_model(path)
    return path


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[str]:
    with llama(weights, 65536, 2) as (url, _):
        yield url


@contextmanager
def connected(url: str, **options: Any) -> Iterator[OpenAIServer]:
    model = OpenAIServer(url, **options)
    try:
        yield model
    finally:
        model.close()


@cache
def verifier(product: Shiori) -> Verifier:
    return Verifier(product.glossary)


def answerer(
    product: Shiori,
    model: LanguageModel,
    schema: Callable[[Mapping[str, Hit]], Mapping[str, Any]] = prompt.schema,
    seconds: float = 20.0,
    gate: Gate | None = None,
) -> Answerer:
    writer = Writer(
        model,
        verifier(product),
        gate=gate or Gate(1, 4),
        seconds=seconds,
        schema=schema,
    )
    return Answerer(product.searcher, writer=writer)


def short(evidence: Mapping[str, Hit]) -> dict[str, Any]:
    """Two sentences of free prose, short enough for a model that writes bytes at random."""
    schema = prompt.schema(evidence)
    sentences = schema["properties"]["sentences"]
    sentences.update(minItems=2, maxItems=2)
    # Bytes at random are no UTF-8; the grammar makes them letters.
    sentences["items"]["properties"]["text"] = {"type": "string", "pattern": "^[ぁ-ん]{5,20}。$"}
    return schema


def quoting(evidence: Mapping[str, Hit]) -> dict[str, Any]:
    """The only answer is a sentence of the passage it cites."""
    id_, hit = next(iter(evidence.items()))
    text = "離婚の日から3か月以内に、離婚の際に称していた氏を称する旨を届け出ればよい。"
    assert text in hit.passage.text
    said = {
        "type": "object",
        "properties": {"evidence": {"const": [id_]}, "text": {"const": text}},
        "required": ["evidence", "text"],
        "additionalProperties": False,
    }
    schema = prompt.schema(evidence)
    schema["properties"]["sentences"].update(items=said, minItems=1, maxItems=1)
    return schema


def is_verbatim_with_notice(answered: Answered) -> bool:
    answer = answered.answer
    return (
        answer.answered
        and not answer.by_model
        and bool(answer.blocks)
        and all(block.verbatim for block in answer.blocks)
        and any("本の文をそのまま" in notice for notice in answer.notices)
    )


# --- a real server -------------------------------------------------------------------------


def test_the_server_is_asked_what_it_can_do(server: str) -> None:
    with connected(server) as model:
        assert model.state == "loading"
        ability = model.ability()
        assert model.state == "ready"
        assert model.name == ability.model
        assert ability.streams
        assert ability.usage
        assert not ability.thinks
        assert ability.mode == "json_schema"
        assert ability.context == 32768  # of each of the two slots
        assert ability.counts
        assert model.count("戸籍") == 6


def test_a_random_model_gets_no_sentence_through(product: Shiori, server: str) -> None:
    with connected(server) as model:
        answered = answerer(product, model, short).ask(QUESTION)
        assert is_verbatim_with_notice(answered)
        assert "確かめられません" in answered.answer.notices[0]


def test_a_sentence_of_the_passage_goes_through(product: Shiori, server: str) -> None:
    with connected(server) as model:
        answer = answerer(product, model, quoting).ask(QUESTION).answer
        [block] = answer.blocks
        assert answer.by_model
        assert block.text.startswith("離婚の日から3か月以内に")
        assert [limit.text for limit in block.limits] == [
            "ただし、期間を過ぎたときは、家庭裁判所の許可が要る。"
        ]
        [citation] = block.citations
        text = product.ledger.passage(citation.passage_id).text
        assert text[citation.start : citation.end] in text


def test_passages_come_before_the_first_sentence(product: Shiori, server: str) -> None:
    with connected(server) as model:
        kinds = [type(e) for e in answerer(product, model, quoting).events(QUESTION)]
        assert kinds[0] is Found
        assert kinds[-2:] == [Sentence, Answered]


def test_an_unanswered_question_never_reaches_the_model(product: Shiori) -> None:
    with connected("http://127.0.0.1:9") as model:
        answer = answerer(product, model).ask("粗大ごみの収集").answer
        assert not answer.answered
        assert answer.notices == ()


def test_a_small_context_gets_fewer_passages(product: Shiori, weights: Path) -> None:
    with llama(weights, 4096, 1) as (url, _), connected(url) as model:
        result = product.searcher.search(QUESTION, 10)
        built = prompt.build(
            QUESTION, result.hits, "json_schema", context=model.ability().context, count=model.count
        )
        assert 1 <= len(built.evidence) < len(result.hits)
        assert is_verbatim_with_notice(answerer(product, model, short).ask(QUESTION))


def test_a_context_overflow_is_named(product: Shiori, weights: Path) -> None:
    # Told a context the server does not have, so that the prompt is too long for it.
    with llama(weights, 1024, 1) as (url, _), connected(url, context=32768) as model:
        answered = answerer(product, model, short).ask(QUESTION)
        assert is_verbatim_with_notice(answered)
        assert "文脈長" in answered.answer.notices[0]


def test_an_answer_cut_by_its_length_is_not_used(server: str) -> None:
    with connected(server) as model:
        pieces = model.write(
            [{"role": "user", "content": "あ"}],
            mode="tags",
            schema={},
            max_tokens=10,
            deadline=time.monotonic() + 20,
            cancelled=threading.Event(),
        )
        with pytest.raises(ModelFailed, match="長さの上限"):
            list(pieces)


def test_a_wrong_key_is_named(product: Shiori, weights: Path) -> None:
    with llama(weights, 32768, 1, "right") as (url, _):
        with connected(url, api_key="wrong") as model:
            answered = answerer(product, model).ask(QUESTION)
            assert is_verbatim_with_notice(answered)
            assert "APIキー" in answered.answer.notices[0]
        with connected(url, api_key="right") as model:
            assert model.ability().mode == "json_schema"


def test_a_server_that_is_absent(product: Shiori) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with connected(f"http://127.0.0.1:{port}") as model:
        first, again = (answerer(product, model).ask(QUESTION) for _ in range(2))
        assert is_verbatim_with_notice(first)
        assert "つながりません" in first.answer.notices[0]
        assert is_verbatim_with_notice(again)
        assert again.took_ms < 1000
        assert model.state == "failed"


def test_closing_ends_a_question_to_the_server(weights: Path) -> None:
    with llama(weights, 32768, 1) as (url, pid):
        model = OpenAIServer(url)
        os.kill(pid, signal.SIGSTOP)
        failures: list[str] = []

        def ask() -> None:
            try:
                model.ability()
            except ModelFailed as error:
                failures.append(error.message)

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.3)
        model.close()
        asking.join(5)
        os.kill(pid, signal.SIGCONT)
        assert len(failures) == 1


def test_a_server_that_stops_answering(product: Shiori, weights: Path) -> None:
    with llama(weights, 32768, 1) as (url, pid), connected(url) as model:
        model.ability()
        os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            answered = answerer(product, model, seconds=1.0).ask(QUESTION)
            assert time.monotonic() - started < 20
        finally:
            os.kill(pid, signal.SIGCONT)
        assert is_verbatim_with_notice(answered)
        assert "時間内" in answered.answer.notices[0]


def test_a_server_killed_while_it_writes(product: Shiori, weights: Path) -> None:
    with llama(weights, 65536, 1) as (url, pid), connected(url) as model:
        pieces = model.write(
            [{"role": "user", "content": "あ"}],
            mode="tags",
            schema={},
            max_tokens=30000,
            deadline=time.monotonic() + 30,
            cancelled=threading.Event(),
        )
        next(pieces)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ModelFailed):
            list(pieces)


def test_leaving_frees_the_slot(weights: Path) -> None:
    with llama(weights, 65536, 1) as (url, _), connected(url) as model:

        def write(cancelled: threading.Event, tokens: int) -> Iterator[str]:
            return model.write(
                [{"role": "user", "content": "あ"}],
                mode="tags",
                schema={},
                max_tokens=tokens,
                deadline=time.monotonic() + 30,
                cancelled=cancelled,
            )

        left = threading.Event()
        pieces = write(left, 60000)
        next(pieces)
        left.set()
        with pytest.raises(Cancelled):
            list(pieces)
        started = time.monotonic()
        next(write(threading.Event(), 5))  # the only slot is free again
        assert time.monotonic() - started < 10


# --- faults that a real server does not show at will ---------------------------------------


def event(content: str | None = None, finish: str | None = None, **delta: Any) -> str:
    if content is not None:
        delta["content"] = content
    return "data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}) + "\n\n"


GOOD = json.dumps(
    {
        "sentences": [
            {
                "evidence": ["1"],
                "text": "離婚の日から3か月以内に、離婚の際に称していた氏を称する旨を届け出ればよい。",
            }
        ]
    },
    ensure_ascii=False,
)


@contextmanager
def scripted(
    stream: str,
    *,
    formats: tuple[str | None, ...] = ("json_schema",),
    status: int = 200,
    probe: Mapping[str, Any] | None = None,
    streams: str = "text/event-stream",
    refuses: str = "",
    lists: bool = True,
) -> Iterator[str]:
    """A server that takes some response formats and streams one fixed answer.

    `probe` is its message to the test question, `streams` the media type of a stream,
    `refuses` a field that a request must not have; `lists` whether it names its models.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = lists and self.path == "/v1/models"
            self._send(200 if listed else 404, '{"data": [{"id": "scripted"}]}')

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                return self._send(404, "{}")
            wanted = body.get("response_format", {}).get("type")
            if refuses in body:
                return self._send(400, '{"error": {"message": "unknown field"}}')
            asked = "資料" in body["messages"][-1]["content"]
            if body.get("stream"):
                return self._send(status if asked else 200, stream, streams)
            if wanted not in formats:
                return self._send(400, '{"error": {"message": "response_format"}}')
            said = GOOD if asked else '{"ok": "yes"}'
            choice = {"message": {"content": said}, "finish_reason": "stop", **(probe or {})}
            return self._send(200, json.dumps({"choices": [choice]}))

        def _send(self, code: int, text: str, kind: str = "application/json") -> None:
            content = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "stream",
    [
        event('{"sentences": [') + 'data: {"error": {"message": "boom"}}\n\n',
        event(GOOD[:40]) + event(finish="length") + "data: [DONE]\n\n",
        event(GOOD) + "data: [DONE]\n\n",
        event(GOOD),
        "data: これはJSONではない\n\n",
        "data: 42\n\n",
        event("すみません、分かりません。") + event(finish="stop") + "data: [DONE]\n\n",
        event('{"sentences": "x"}') + event(finish="stop") + "data: [DONE]\n\n",
        "",
    ],
    ids=["error", "length", "done", "closed", "garbage", "number", "prose", "shape", "empty"],
)
def test_a_broken_stream_ends_in_the_books_own_words(product: Shiori, stream: str) -> None:
    with scripted(stream) as url, connected(url) as model:
        assert is_verbatim_with_notice(answerer(product, model).ask(QUESTION))


def test_an_error_status_ends_in_the_books_own_words(product: Shiori) -> None:
    with scripted("{}", status=500) as url, connected(url) as model:
        assert is_verbatim_with_notice(answerer(product, model).ask(QUESTION))


def test_raw_control_characters_are_read(product: Shiori) -> None:
    raw = GOOD.replace("離婚の日から", "離婚の日から\u0001\t")
    stream = 'data: {"choices": [{"delta": {"content": ' + json.dumps(raw) + "}}]}\n\n"
    with scripted(stream + event(finish="stop")) as url, connected(url) as model:
        assert answerer(product, model).ask(QUESTION).answer.by_model


@pytest.mark.parametrize(
    ("formats", "mode", "content"),
    [
        (("json_schema",), "json_schema", GOOD),
        (("json_object",), "json_object", GOOD),
        (
            (),
            "tags",
            "[1] 離婚の日から3か月以内に、離婚の際に称していた氏を称する旨を届け出ればよい。",
        ),
    ],
)
def test_formats_step_down(
    product: Shiori,
    formats: tuple[str, ...],
    mode: str,
    content: str,
) -> None:
    stream = event(content) + event(finish="stop") + "data: [DONE]\n\n"
    with scripted(stream, formats=formats) as url, connected(url) as model:
        assert model.ability().mode == mode
        answer = answerer(product, model).ask(QUESTION).answer
        assert answer.by_model
        assert not answer.blocks[0].verbatim


def test_thoughts_are_never_shown(product: Shiori) -> None:
    stream = (
        event(reasoning_content="秘密の考え")
        + event("<thi")
        + event("nk>" + GOOD.replace("3か月", "9か月") + "</th")
        + event("ink>" + GOOD)
        + event(finish="stop")
    )
    with scripted(stream) as url, connected(url) as model:
        answer = answerer(product, model).ask(QUESTION).answer
        assert ["3か月" in block.text for block in answer.blocks] == [True]
        assert answer.notices == ()


def test_thoughts_that_begin_without_a_mark_are_not_shown(product: Shiori) -> None:
    stream = event("[1] 9か月以内に届け出ればよい。\n秘密の考え</think>\n" + TAGGED)
    said = {"message": {"content": 'かんがえ</think>{"ok": "yes"}'}}
    with (
        scripted(stream + event(finish="stop"), formats=(None,), probe=said) as url,
        connected(url) as model,
    ):
        assert model.ability().unopened
        answer = answerer(product, model).ask(QUESTION).answer
        assert [block.text for block in answer.blocks] == [TAGGED[4:].strip()]
        assert answer.dropped == 0


def test_a_model_that_thinks_apart_keeps_its_format_and_gets_room() -> None:
    said = {"message": {"content": "", "reasoning_content": "さて"}, "finish_reason": "length"}
    with scripted("", probe=said) as url, connected(url, context=16384) as model:
        ability = model.ability()
        assert (ability.mode, ability.thinks, ability.thoughts) == ("json_schema", True, 4096)


def test_a_server_that_does_not_stream_answers_in_one_piece(product: Shiori) -> None:
    with scripted("{}", streams="application/json") as url, connected(url) as model:
        assert not model.ability().streams
        assert answerer(product, model).ask(QUESTION).answer.by_model


def test_a_server_that_refuses_stream_options_streams_without_them(product: Shiori) -> None:
    stream = event(GOOD) + event(finish="stop")
    with scripted(stream, refuses="stream_options") as url, connected(url) as model:
        ability = model.ability()
        assert (ability.streams, ability.usage) == (True, False)
        assert answerer(product, model).ask(QUESTION).answer.by_model


def test_a_server_that_lists_no_models_is_taken_at_the_settings_word(product: Shiori) -> None:
    stream = event(GOOD) + event(finish="stop")
    with scripted(stream, lists=False) as url:
        with connected(url, model="named") as model:
            assert model.ability().model == "named"
            assert answerer(product, model).ask(QUESTION).answer.by_model
        with connected(url) as model, pytest.raises(ModelFailed):
            model.ability()


def test_a_prompt_that_was_cut_is_noticed_without_a_tokenizer(product: Shiori) -> None:
    used = 'data: {"choices": [], "usage": {"prompt_tokens": 40}}\n\n'
    with scripted(event(GOOD) + event(finish="stop") + used) as url, connected(url) as model:
        answered = answerer(product, model).ask(QUESTION)
        assert is_verbatim_with_notice(answered)
        assert "切り捨て" in answered.answer.notices[0]


def test_an_id_that_was_not_given_proves_nothing(product: Shiori) -> None:
    stream = event(GOOD.replace('"1"', '"77"')) + event(finish="stop")
    with scripted(stream) as url, connected(url) as model:
        assert is_verbatim_with_notice(answerer(product, model).ask(QUESTION))


def test_a_false_sentence_is_left_out_and_counted(product: Shiori) -> None:
    both = json.loads(GOOD)
    both["sentences"].append({"evidence": ["1"], "text": "離婚の日から6か月以内に届け出ればよい。"})
    stream = event(json.dumps(both, ensure_ascii=False)) + event(finish="stop")
    with scripted(stream) as url, connected(url) as model:
        answer = answerer(product, model).ask(QUESTION).answer
        assert len(answer.blocks) == 1
        assert answer.notices == ("根拠と合わない1文を省きました。",)


# --- LlamaIndex ----------------------------------------------------------------------------


TAGGED = "[1] 離婚の日から3か月以内に、離婚の際に称していた氏を称する旨を届け出ればよい。\n"


@pytest.fixture(scope="module")
def fixed() -> Any:
    """Makes a LlamaIndex LLM that writes one answer, or fails in a way of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata

    class Fixed(CustomLLM):
        failure: Any = None

        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(context_window=8192, model_name="fixed")

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            return CompletionResponse(text=TAGGED)

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            if self.failure is not None:
                raise self.failure
            for end in range(1, len(TAGGED) + 1):
                yield CompletionResponse(text=TAGGED[:end], delta=TAGGED[end - 1])

    return Fixed


@contextmanager
def in_process(make: Any, context: int = 0) -> Iterator[LlamaIndexModel]:
    model = LlamaIndexModel(make, context)
    try:
        yield model
    finally:
        model.close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("failure", [None, NotImplementedError()])
def test_a_llama_index_llm_answers_too(product: Shiori, fixed: Any, failure: Any) -> None:
    with in_process(lambda: fixed(failure=failure)) as model:
        assert model.ability() == Ability("fixed", "tags", 8192)
        assert (model.name, model.state) == ("fixed", "ready")
        answer = answerer(product, model).ask(QUESTION).answer
        assert answer.by_model
        assert answer.blocks[0].text == TAGGED[4:].strip()


@pytest.mark.filterwarnings("ignore")
def test_whatever_a_llama_index_llm_raises_ends_in_the_books_own_words(
    product: Shiori, fixed: Any
) -> None:
    class Foreign(Exception):
        pass

    with in_process(lambda: fixed(failure=Foreign("quota"))) as model:
        assert is_verbatim_with_notice(answerer(product, model).ask(QUESTION))


def test_a_factory_that_is_not_there_is_named(product: Shiori) -> None:
    model = language_model(Settings(llm_factory="no_such_module:make"))
    assert model is not None
    try:
        answered = answerer(product, model).ask(QUESTION)
    finally:
        model.close()
    assert is_verbatim_with_notice(answered)
    assert "llm_factory" in answered.answer.notices[0]


# --- pieces --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 100])
def test_thoughts_vanish_however_they_are_cut(size: int) -> None:
    text = "前<think>考え<b></think>中<x>後<thinking>終わらない"
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    assert "".join(without_thoughts(pieces)) == "前中<x>後"
