"""The command line as a person or a script meets it: exit codes, both streams, signals.

What needs no process of its own runs in this one, as a process takes seconds to start.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import cli
from app.core.datadir import Service
from app.core.settings import Settings
from app.main import Shiori
from tests.api.conftest import TOKEN
from tests.api.conftest import serving as answering

SHIORI = str(Path(sys.executable).with_name("shiori"))
HIT = {
    "rank": int,
    "score": float,
    "passage_id": str,
    "book_id": str,
    "book_title": str,
    "edition": str,
    "page_label": str,
    "page_index": int,
    "page_index_end": int,
    "section_path": list,
    "article": str,
    "text": str,
    "source_file": str,
}
QUESTION = "離婚しても今の名字を使い続けたい"
BOOK = "# [案]転籍[bold]の手引\n\n## 第1章　届出\n\n転籍の届出は、転籍地でもすることができる。\n"


def shiori(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SHIORI, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=100,
    )


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command in this process, as `shiori` does in its own."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    on_stop = signal.getsignal(signal.SIGTERM)
    environment = dict(os.environ)

    def command(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        os.environ.update(more)
        monkeypatch.setattr(sys, "argv", ["shiori", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        stdout, stderr = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, stdout, stderr)

    yield command
    root.handlers[:] = handlers
    signal.signal(signal.SIGTERM, on_stop)


def check_hits(hits: Sequence[dict[str, Any]]) -> None:
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    for hit in hits:
        for key, kind in HIT.items():
            assert type(hit[key]) is kind, key
        assert all(isinstance(part, str) for part in hit["section_path"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(data: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real service on a data directory, ready for questions; its process and address."""
    port = free_port()
    process = subprocess.Popen(
        [SHIORI, "serve", "--data-dir", str(data), "--port", str(port), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(url, process)
        yield process, url
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_ready(url: str, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        assert process.poll() is None, process.communicate()
        try:
            if httpx.get(f"{url}/v1/health", timeout=1).json()["status"] == "ready":
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("the service does not become ready")


@pytest.fixture(scope="module")
def data(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy of the sample shelf for all commands here that change nothing."""
    return shutil.copytree(sample_data, tmp_path_factory.mktemp("cli") / "data")


# -- alone ----------------------------------------------------------------------


def test_search_prints_json_on_stdout_and_nothing_else(data: Path) -> None:
    done = shiori("search", "--json", "-k", "3", QUESTION, "--data-dir", str(data))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["query"] == QUESTION
    assert isinstance(found["took_ms"], float)
    assert len(found["hits"]) == 3
    check_hits(found["hits"])


def test_the_data_dir_may_come_before_the_command(run: Run, data: Path, tmp_path: Path) -> None:
    before = run("--data-dir", str(data), "search", "--json", QUESTION)
    assert before.returncode == 0
    assert json.loads(before.stdout)["hits"]
    nested = run("--data-dir", str(data), "ingest", "list", "--json")
    assert len(json.loads(nested.stdout)) == 3
    # The one after the command is nearer, and wins.
    other = str(tmp_path / "other")
    empty = run("--data-dir", str(data), "ingest", "list", "--json", "--data-dir", other)
    assert json.loads(empty.stdout) == []


def test_ask_answers_with_citations_of_its_hits(data: Path) -> None:
    done = shiori("ask", "--json", QUESTION, "--data-dir", str(data))
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["query"] == QUESTION
    assert answer["answered"] is True
    assert answer["reason"] == ""
    check_hits(answer["hits"])
    shown = {hit["passage_id"] for hit in answer["hits"]}
    for sentence in answer["answer"]:
        assert sentence["text"]
        assert sentence["citations"]
        assert set(sentence["citations"]) <= shown


def test_ask_says_why_it_does_not_answer(run: Run, data: Path) -> None:
    done = run("ask", "--json", "冥王星の衛星の軌道周期は何日か", "--data-dir", str(data))
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["answered"] is False
    assert answer["answer"] == []
    assert answer["reason"]


def test_people_see_titles_pages_and_text(run: Run, data: Path) -> None:
    done = run("search", QUESTION, "--data-dir", str(data))
    assert done.returncode == 0
    assert "1. " in done.stdout
    assert "頁" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", ""], "質問が空です"),
        (["search", " 　"], "質問が空です"),
        (["ask", ""], "質問が空です"),
        (["search", "字" * 10_000], "質問が長すぎます (10,000文字)"),
        (["search", "-k", "0", "離婚"], "件数 k=0"),
        (["search", "--as-of", "きのう", "離婚"], "日付「きのう」"),
        (["search", "--citing", "むかしむかし", "離婚"], "「むかしむかし」"),
        (["search"], "question が指定されていません"),
        (["search", "離婚", "--boook", "x"], "--boook というオプションはありません"),
        (["search", "離婚", "-k"], "-k に値が付いていません"),
        (["search", "離婚", "-k", "多"], "-k の値は使えません: 整数で指定してください"),
        (["ingest"], "Usage: shiori ingest"),
        (["seek", "離婚"], "`shiori --help`"),
    ],
)
def test_wrong_usage_is_exit_code_2(run: Run, data: Path, arguments: list[str], said: str) -> None:
    done = run("--data-dir", str(data), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SHIORI_PORT": "八千"}, ["port", "'八千'", "整数", "SHIORI_PORT"]),
        ({"SHIORI_PASSAGE_CHARS": "5"}, ["passage_chars", "'5'", "100以上"]),
        ({"SHIORI_LOG_LEVEL": "loud"}, ["log_level", "'loud'", "'debug'"]),
        ({"SHIORI_EMBED_MODLE": "x"}, ["SHIORI_EMBED_MODLE", "embed_model"]),
    ],
)
def test_a_bad_setting_is_named(
    run: Run, data: Path, environment: dict[str, str], said: list[str]
) -> None:
    done = run("search", "離婚", "--data-dir", str(data), **environment)
    assert (done.returncode, done.stdout) == (1, "")
    for part in said:
        assert part in done.stderr


def test_a_book_or_folder_that_is_not_there_is_exit_code_1(run: Run, data: Path) -> None:
    missing = run("--data-dir", str(data), "search", "離婚", "--book", "ffffffffffff")
    assert missing.returncode == 1
    assert "ffffffffffff はこの書棚にありません" in missing.stderr
    file = data / "ledger.sqlite"
    inside = run("search", "離婚", "--data-dir", str(file / "data"))
    assert inside.returncode == 1
    assert str(file) in inside.stderr
    assert "SHIORI_DATA_DIR" in inside.stderr


def test_a_folder_of_a_newer_version_is_left_alone(run: Run, tmp_path: Path) -> None:
    with Shiori(Settings(data_dir=tmp_path)):
        pass
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = (tmp_path / "ledger.sqlite").read_bytes()
    done = run("search", "離婚", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "新しい版" in done.stderr
    assert (tmp_path / "ledger.sqlite").read_bytes() == before


def test_an_answer_is_limited_like_a_search(run: Run, data_dir: Path) -> None:
    data = ("--data-dir", str(data_dir))
    late = run("ask", "婚氏続称の期間", "--as-of", "1990-01-01", *data)
    assert "1990-01-01 の時点で有効な本は" in late.stdout
    (book,) = [
        book["id"]
        for book in json.loads(run("ingest", "list", "--json", *data).stdout)
        if "問答" in book["title"]
    ]
    found = json.loads(run("ask", "婚氏続称の期間", "--book", book, "--json", *data).stdout)
    assert {hit["book_id"] for hit in found["hits"]} == {book}


def test_ids_are_listed_whole_however_narrow_the_window(
    run: Run, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    data = ("--data-dir", str(data_dir))
    ids = [book["id"] for book in json.loads(run("ingest", "list", "--json", *data).stdout)]
    listed = run("ingest", "list", *data).stdout
    assert all(id_ in listed for id_ in ids)


def test_a_held_folder_is_named(run: Run, tmp_path: Path) -> None:
    with Shiori(Settings(data_dir=tmp_path)):
        done = run("ingest", "list", "--data-dir", str(tmp_path))
        assert done.returncode == 1
        assert f"{tmp_path} は別のプロセスが使っています" in done.stderr


def test_a_command_waits_for_the_service_that_is_starting(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "転籍.md").write_text(BOOK, "utf-8")
    with Shiori(Settings(data_dir=data), serving=True) as product, answering(product) as url:
        service = Service(url, os.getpid(), TOKEN)
        coming = threading.Timer(0.5, product.datadir.announce, [service])
        coming.start()
        done = run("ingest", "add", str(tmp_path / "転籍.md"), "--data-dir", str(data))
        coming.join()
        assert len(product.ledger.books()) == 1
    assert done.returncode == 0, done.stderr
    assert "栞が起動するのを待っています" in done.stderr


def test_adding_prints_one_summary_and_progress_apart(run: Run, tmp_path: Path) -> None:
    books = tmp_path / "[draft]本"
    books.mkdir()
    (books / "転籍[bold].md").write_text(BOOK, "utf-8")
    (books / "空.md").write_text("", "utf-8")
    data = str(tmp_path / "data")
    done = shiori("ingest", "add", str(books), "--json", "--data-dir", data)
    assert done.returncode == 1  # one file failed
    summary = json.loads(done.stdout)
    assert summary["files"] == {"seen": 2, "added": 1, "unchanged": 0, "failed": 1}
    assert summary["pages"] == 1
    assert summary["passages"] == 1
    assert summary["seconds"] > 0
    (failed,) = summary["failed"]
    assert failed["file"] == str(books / "空.md")
    assert "空のファイル" in failed["reason"]
    assert "空のファイル" in done.stderr
    assert "追加: 転籍[bold].md" in done.stderr

    again = run("ingest", "add", str(books / "転籍[bold].md"), "--data-dir", data)
    assert again.returncode == 0
    assert "変更なし1" in again.stdout
    status = run("ingest", "status", "--json", "--data-dir", data)
    assert [job["state"] for job in json.loads(status.stdout)["jobs"]][:1] == ["unchanged"]
    (book,) = json.loads(run("ingest", "list", "--json", "--data-dir", data).stdout)
    assert book["title"] == "[案]転籍[bold]の手引"
    removed = run("ingest", "remove", book["id"], "--data-dir", data)
    assert "[案]転籍[bold]の手引" in removed.stdout
    assert run("ingest", "list", "--json", "--data-dir", data).stdout == "[]\n"


def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(run: Run, tmp_path: Path) -> None:
    books = tmp_path / "本"
    books.mkdir()
    for number in range(12):
        (books / f"{number:02}.md").write_text(BOOK + f"\n別の本{number}\n", "utf-8")
    data = str(tmp_path / "data")
    command = subprocess.Popen(
        [SHIORI, "ingest", "add", str(books), "--data-dir", data, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"SHIORI_WORKERS": "1"},
        start_new_session=True,
    )
    assert command.stderr is not None
    for line in command.stderr:
        if "追加" in line:
            break
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does
    stdout, stderr = command.communicate(timeout=60)
    assert command.returncode == 1
    assert "中断しました" in stderr
    assert "Traceback" not in stderr
    assert stdout == ""
    status = json.loads(run("ingest", "status", "--json", "--data-dir", data).stdout)
    states = [job["state"] for job in status["jobs"]]
    assert set(states) == {"added", "interrupted"}
    assert states.count("added") >= status["health"]["books"] - 1 >= 0

    again = json.loads(run("ingest", "add", str(books), "--data-dir", data, "--json").stdout)
    assert again["files"]["unchanged"] == status["health"]["books"]
    assert again["files"]["added"] == 12 - status["health"]["books"]


# -- beside a running service ---------------------------------------------------


@pytest.fixture(scope="module")
def service(
    sample_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    folder = shutil.copytree(sample_data, tmp_path_factory.mktemp("served") / "data")
    with serving(folder) as (_, url):
        yield folder, url


def test_commands_work_through_the_service(
    run: Run, service: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = service
    found = shiori("search", "--json", "-k", "2", QUESTION, "--data-dir", str(folder))
    assert (found.returncode, found.stderr) == (0, "")
    check_hits(json.loads(found.stdout)["hits"])
    asked = json.loads(run("ask", "--json", QUESTION, "--data-dir", str(folder)).stdout)
    assert asked["answered"] is True
    empty = run("search", "", "--data-dir", str(folder))
    assert (empty.returncode, empty.stdout) == (2, "")
    assert "質問が空です" in empty.stderr
    unknown = run("ingest", "remove", "ffffffffffff", "--data-dir", str(folder))
    assert unknown.returncode == 1
    assert "ffffffffffff" in unknown.stderr

    (tmp_path / "転籍.md").write_text(BOOK, "utf-8")
    added = run(
        "ingest", "add", str(tmp_path / "転籍.md"), "無い.md", "--json", "--data-dir", str(folder)
    )
    assert added.returncode == 1
    summary = json.loads(added.stdout)
    assert summary["files"] == {"seen": 2, "added": 1, "unchanged": 0, "failed": 1}
    assert str(Path.cwd() / "無い.md") in summary["failed"][0]["file"]
    books = json.loads(run("ingest", "list", "--json", "--data-dir", str(folder)).stdout)
    assert len(books) == 4
    assert httpx.get(f"{url}/v1/health").json()["books"] == 4
    book_id = summary["added"][0]["book_id"]
    assert run("ingest", "remove", book_id, "--data-dir", str(folder)).returncode == 0
    status = json.loads(run("ingest", "status", "--json", "--data-dir", str(folder)).stdout)
    assert status["health"]["books"] == 3
    assert {job["state"] for job in status["jobs"][:2]} == {"added", "failed"}


def test_the_service_answers_while_books_are_added(
    service: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = service
    for number in range(12):
        (tmp_path / f"{number}.md").write_text(BOOK + f"\n別の本{number}\n", "utf-8")
    before = httpx.get(f"{url}/v1/search", params={"q": QUESTION}).json()["hits"]
    adding = subprocess.Popen(
        [SHIORI, "ingest", "add", str(tmp_path), "--data-dir", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    answered = 0
    seen = set()
    with httpx.Client(base_url=url, timeout=30) as client:
        while adding.poll() is None:
            response = client.get("/v1/search", params={"q": QUESTION})
            assert response.status_code == 200
            assert response.json()["hits"][0]["passage_id"] == before[0]["passage_id"]
            seen.add(client.get("/v1/health").json()["books"])
            answered += 1
    assert adding.returncode == 0
    assert answered > 10
    assert len(seen) > 1


def test_a_second_service_is_told_who_is_in_the_way(
    run: Run, service: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = service
    same_folder = run("serve", "--data-dir", str(folder), "--port", str(free_port()))
    assert same_folder.returncode == 1
    assert f"{folder} は{url} の栞" in same_folder.stderr
    port = url.rpartition(":")[2]
    same_port = run("serve", "--data-dir", str(tmp_path / "data"), "--port", port)
    assert same_port.returncode == 1
    assert f"ポート {port}" in same_port.stderr
    assert "すでに使われています" in same_port.stderr
    assert "--port" in same_port.stderr


def test_a_killed_service_leaves_no_lock(run: Run, tmp_path: Path) -> None:
    with serving(tmp_path) as (process, _):
        process.kill()
        process.wait()
    assert (tmp_path / "service.json").exists()
    done = run("ingest", "list", "--json", "--data-dir", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "[]\n")


def test_a_service_ends_cleanly_even_while_it_adds(tmp_path: Path) -> None:
    books = tmp_path / "本"
    books.mkdir()
    for name in range(40):
        (books / f"{name}.md").write_text(BOOK + f"\n別の本{name}\n", "utf-8")
    data = tmp_path / "data"
    with serving(data) as (process, url):
        said: list[subprocess.CompletedProcess[str]] = []
        adding = threading.Thread(
            target=lambda: said.append(shiori("ingest", "add", str(books), "--data-dir", str(data)))
        )
        adding.start()
        while httpx.get(f"{url}/v1/health").json()["books"] == 0:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        adding.join()
        assert process.returncode == 0
        assert said[0].returncode == 1
        assert said[0].stderr.strip()
        assert "Traceback" not in said[0].stderr
    assert not (data / "service.json").exists()
    with Shiori(Settings(data_dir=data)) as product:
        assert product.ledger.books()
        assert {job.state for job in product.ledger.jobs()} == {"added", "interrupted"}
