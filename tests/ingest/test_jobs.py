"""Adding files: what is seen, what fails alone, what an interrupted run leaves behind."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.errors import NotReady
from app.core.settings import Settings
from app.core.store import Where
from app.main import Shiori
from ingest.jobs import Event, Summary

BOOK = """# 出生届の手引

## 第1章　届出期間

出生の届出は、出生の日から十四日以内にしなければならない。

## 第2章　届出人

嫡出である子の届出は、父又は母がしなければならない。
"""


def write(folder: Path, name: str, text: str = BOOK) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shelf_with_all_kinds(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Shiori, Path, Summary]]:
    """One run over a folder that holds good files, bad ones and one already known."""
    root = tmp_path_factory.mktemp("jobs")
    folder = root / "本"
    write(folder, "出生.md")
    write(folder, "写し/出生の写し.md")
    write(folder, "婚姻.txt", "婚姻の届出\n\n婚姻は、届け出ることによって、その効力を生ずる。\n")
    write(folder, "空.md", "")
    write(folder, "壊れた.pdf", "これはPDFではない")
    write(folder, "離婚.md", "# 離婚\n\n協議上の離婚。\n")
    write(folder, "離婚.md.toml", 'titel = "離婚届の手引"\n')
    write(folder, "表計算.ods", "知らない形式")
    write(folder, "だれの.pdf.toml", 'title = "ない本"')
    write(folder, "Thumbs.db", "絵の控え")
    named = write(root, "表計算.numbers", "知らない形式")
    with Shiori(Settings(data_dir=root / "data", workers=2)) as product:
        summary = product.add([folder, named, root / "無い.pdf"], shelf="窓口")
        yield product, folder, summary


def reasons(summary: Summary) -> dict[str, str]:
    return {Path(result.file).name: result.reason for result in summary.failed}


def test_good_files_become_books(shelf_with_all_kinds: tuple[Shiori, Path, Summary]) -> None:
    product, _, summary = shelf_with_all_kinds
    assert summary.as_json()["files"] == {"seen": 8, "added": 2, "unchanged": 1, "failed": 5}
    assert {book.title for book in product.ledger.books().values()} == {"出生届の手引", "婚姻"}
    assert {book.shelf for book in product.ledger.books().values()} == {"窓口"}
    assert product.searcher.search("出生の届出はいつまでに").hits


def test_what_is_no_book_is_named_and_fails_nothing(
    shelf_with_all_kinds: tuple[Shiori, Path, Summary],
) -> None:
    _, folder, summary = shelf_with_all_kinds
    left_out = {item["file"]: item["reason"] for item in summary.as_json()["left_out"]}
    assert list(left_out) == [str(folder / "だれの.pdf.toml"), str(folder / "表計算.ods")]
    assert "本のファイル(だれの.pdf)が隣にありません" in left_out[str(folder / "だれの.pdf.toml")]
    assert "保存し直してください" in left_out[str(folder / "表計算.ods")]


def test_every_failure_names_the_file_the_cause_and_what_to_do(
    shelf_with_all_kinds: tuple[Shiori, Path, Summary],
) -> None:
    _, _, summary = shelf_with_all_kinds
    failed = reasons(summary)
    assert set(failed) == {"空.md", "壊れた.pdf", "離婚.md", "表計算.numbers", "無い.pdf"}
    assert "空のファイル" in failed["空.md"]
    assert "PDFではありません" in failed["壊れた.pdf"]
    assert "知らない項目 titel" in failed["離婚.md"]
    assert "対応していません" in failed["表計算.numbers"]
    assert "見つかりません" in failed["無い.pdf"]
    for name, reason in failed.items():
        assert name in reason
        assert reason.count("。") >= 2 or "使える項目" in reason


def test_the_ledger_keeps_what_became_of_every_file(
    shelf_with_all_kinds: tuple[Shiori, Path, Summary],
) -> None:
    product, _, summary = shelf_with_all_kinds
    jobs = product.ledger.jobs()
    assert len(jobs) == 8
    assert {job.state for job in jobs} == {"added", "unchanged", "failed"}
    assert {job.reason for job in jobs if job.state == "failed"} == set(reasons(summary).values())


def test_adding_again_reads_nothing(shelf_with_all_kinds: tuple[Shiori, Path, Summary]) -> None:
    product, folder, _ = shelf_with_all_kinds
    events: list[Event] = []
    before = product.ledger.live_generations()
    again = product.add([folder / "出生.md", folder / "婚姻.txt"], on_event=events.append)
    assert [result.state for result in again.results] == ["unchanged", "unchanged"]
    assert [event.state for event in events] == ["unchanged", "unchanged"]
    assert product.ledger.live_generations() == before


def test_a_changed_file_or_sidecar_replaces_the_book(tmp_path: Path) -> None:
    path = write(tmp_path, "本.md")
    with Shiori(Settings(data_dir=tmp_path / "data", workers=1)) as product:
        (first,) = product.add([path], shelf="窓口").results
        path.write_text(BOOK.replace("十四日", "三箇月"), encoding="utf-8")
        write(tmp_path, "本.md.toml", 'title = "出生の本"\nedition = "第2版"\nas_of = 2025-10-01\n')
        (second,) = product.add([path]).results
        assert (second.state, second.book_id) == ("added", first.book_id)
        book = product.ledger.book(first.book_id)
        assert (book.title, book.edition, book.as_of) == ("出生の本", "第2版", "2025-10-01")
        assert book.shelf == "窓口"
        texts = [hit.passage.text for hit in product.searcher.search("出生の届出の期間").hits]
        assert any("三箇月以内" in text for text in texts)
        assert not any("十四日以内" in text for text in texts)
        assert product.shelf.store.count(Where()) == book.passages
        assert [file.name for file in product.shelf.originals.iterdir()] == [
            product.shelf.original(book.id).name
        ]


def killing(name: str, events: list[Event]) -> Callable[[Event], None]:
    """A listener that kills every reading process when it hears that `name` is being read."""

    def listen(event: Event) -> None:
        events.append(event)
        if event.state == "reading" and Path(event.source).name == name:
            for child in multiprocessing.active_children():
                child.kill()

    return listen


def test_a_book_that_takes_its_process_down_fails_alone(tmp_path: Path) -> None:
    for name in ("一.md", "二.md", "三.md", "四.md"):
        write(tmp_path / "本", name, BOOK.replace("出生届", name))
    long = BOOK + "\n出生の届出は、父又は母がしなければならない。\n" * 40_000
    write(tmp_path / "本", "二.md", long)  # still being read when it is killed
    events: list[Event] = []
    with Shiori(Settings(data_dir=tmp_path / "data", workers=2)) as product:
        summary = product.add([tmp_path / "本"], on_event=killing("二.md", events))
        states = {Path(result.file).name: result.state for result in summary.results}
        assert states == {"一.md": "added", "二.md": "failed", "三.md": "added", "四.md": "added"}
        assert "2度続けて異常終了" in reasons(summary)["二.md"]
        write(tmp_path / "本", "二.md")
        again = product.add([tmp_path / "本"])
        assert sorted(result.state for result in again.results) == ["added"] + ["unchanged"] * 3


def test_a_run_that_is_told_to_stop_leaves_what_is_done(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "本", f"{number}.md", BOOK + f"\n別の本{number}\n")
    with Shiori(Settings(data_dir=tmp_path / "data", workers=1)) as product:

        def stop(event: Event) -> None:
            if event.state == "added":
                product._stopping.set()

        with pytest.raises(NotReady, match="途中で止めました"):
            product.add([tmp_path / "本"], on_event=stop)
        states = [job.state for job in product.ledger.jobs()]
        assert "running" not in states
        assert states.count("added") == len(product.ledger.books()) >= 1
        assert "interrupted" in states


def test_two_runs_over_the_same_file_add_it_once(tmp_path: Path) -> None:
    path = write(tmp_path, "本.md")
    with Shiori(Settings(data_dir=tmp_path / "data", workers=1)) as product:
        summaries: list[Summary] = []
        threads = [
            threading.Thread(target=lambda: summaries.append(product.add([path]))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        states = sorted(result.state for summary in summaries for result in summary.results)
        assert states == ["added", "unchanged"]
        assert len(product.ledger.books()) == 1


def test_a_file_is_timed_from_its_turn_on_and_not_from_when_it_was_queued(tmp_path: Path) -> None:
    files = [write(tmp_path, f"{name}.md", f"# {name}\n\n届け出る。\n") for name in ("一", "二")]
    turns: dict[str, float] = {}
    with Shiori(Settings(data_dir=tmp_path / "data", workers=1)) as product:
        product.add(files, on_event=lambda event: turns.setdefault(event.source, time.time()))
        begun = {job.source_file: job.started_at for job in product.ledger.jobs()}
    first, second = sorted(begun, key=begun.__getitem__)
    assert begun[second] > turns[first]
