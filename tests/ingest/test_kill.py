"""SIGKILL at any moment: the shelf shows the old book or the new one, whole, after the next start.

Publishing is driven in a child process that does nothing else, so that random moments hit
every one of its steps; the whole command is killed as well, at moments read off its ledger.
"""

from __future__ import annotations

import os
import pickle
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.core.book import Book, Document, Line, Page
from app.core.settings import Settings
from app.core.store import Where
from app.main import Shiori
from ingest.index import fingerprint

# Old and new share no sentence, so a mixture would show.
OLD, NEW = "旧い版の条文", "新しい版の規定"
_SEED = 20261124
_ARTICLES = 40

# Replaces a book again and again until it is killed: new, old, new, old, …
PUBLISHER = """
import pickle, sys
from pathlib import Path
from app.core.book import Book
from app.core.ledger import Ledger
from app.core.lexical import VECTORS
from app.core.store import Schema
from app.core.store.edge import EdgeStore
from ingest.index import Shelf

data = Path(sys.argv[1])
versions = pickle.loads(Path(sys.argv[2]).read_bytes())
store = EdgeStore(data / "index" / "1", Schema(sparse=VECTORS))
shelf = Shelf(Ledger(data / "ledger.sqlite"), store, data / "originals")
print("ready", flush=True)
for number in range(10_000):
    title, file, prepared = versions[number % 2]
    shelf.publish(Book("book", title, file), Path(file), f"{number}", prepared)
    print("published", flush=True)
"""


def document(text: str) -> Document:
    lines = [
        Line(part)
        for number in range(1, _ARTICLES + 1)
        for part in (f"第{number}条", f"{text}の第{number}番目の文。")
    ]
    return Document(text, (Page(0, tuple(lines)),))


def plain(text: str) -> str:
    return "\n\n".join(line.text for line in document(text).pages[0].lines)


def prepared(text: str) -> SimpleNamespace:
    from ingest.pipeline import prepare

    made = prepare(document(text), "book")
    return SimpleNamespace(document=made.document, passages=made.passages, vectors=made.vectors)


def check_whole(data: Path) -> set[str]:
    """Opens the shelf, checks that ledger and engine agree, and returns the versions it shows."""
    with Shiori(Settings(data_dir=data)) as product:
        books = product.ledger.books()
        assert product.ledger.hidden() == ()
        assert product.shelf.store.count(Where()) == sum(book.passages for book in books.values())
        kept = {path.stem for path in product.shelf.originals.glob("*")}
        assert kept <= product.ledger.fingerprints()
        assert "running" not in {job.state for job in product.ledger.jobs()}
        shown = set()
        for text in (OLD, NEW):
            hits = product.searcher.search(f"{text}の第3番目の文", 100).hits
            texts = [hit.passage.text for hit in hits if text in hit.passage.text]
            assert len(texts) in (0, _ARTICLES)
            if texts:
                shown.add(text)
        return shown


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )


def kill(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def test_a_kill_while_publishing_leaves_one_whole_book(tmp_path: Path) -> None:
    data = tmp_path / "data"
    versions = []
    for text in (NEW, OLD):
        (tmp_path / f"{text}.txt").write_text(plain(text), "utf-8")
        versions.append((text, str(tmp_path / f"{text}.txt"), prepared(text)))
    (tmp_path / "versions").write_bytes(pickle.dumps(versions))
    assert check_whole(data) == set()
    chance = random.Random(_SEED)
    seen: list[str] = []
    for published in (0, 1, 0, 2, 1, 3):
        child = start([sys.executable, "-c", PUBLISHER, str(data), str(tmp_path / "versions")])
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for _ in range(published):
            assert child.stdout.readline() == "published\n"
        time.sleep(chance.uniform(0.0, 0.1))
        kill(child)
        shown = check_whole(data)
        assert len(shown) <= 1
        assert shown or not (seen or published), "a book that was published is gone"
        seen += shown


@pytest.fixture(scope="module")
def old_shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A shelf with the old book, and the file it came from, which now holds the new one."""
    folder = tmp_path_factory.mktemp("kill")
    file = folder / "本.txt"
    file.write_text(plain(OLD), "utf-8")
    with Shiori(Settings(data_dir=folder / "data")) as product:
        product.shelf.publish(
            Book("book", OLD, str(file)),
            file,
            fingerprint(file),
            prepared(OLD),  # type: ignore[arg-type]
        )
    file.write_text(plain(NEW), "utf-8")
    return folder / "data", file


@pytest.mark.parametrize("moment", ["reading", "writing", "publishing"])
def test_a_killed_command_leaves_old_or_new(
    old_shelf: tuple[Path, Path], tmp_path: Path, moment: str
) -> None:
    closed, file = old_shelf
    data = shutil.copytree(closed, tmp_path / "data")
    shiori = str(Path(sys.executable).with_name("shiori"))
    child = start([shiori, "ingest", "add", str(file), "--data-dir", str(data)])
    wait_for(data / "ledger.sqlite", moment)
    assert child.poll() is None
    kill(child)
    shown = check_whole(data)
    if moment == "reading":
        assert shown == {OLD}
        with Shiori(Settings(data_dir=data, workers=1)) as product:
            assert not product.add([file]).failed
        shown = check_whole(data)
        assert shown == {NEW}
    assert shown in ({OLD}, {NEW})
    assert not left_over(child.pid)


def wait_for(ledger: Path, moment: str) -> None:
    """Returns when the command that writes a ledger has come to a moment of its work."""
    question = {
        "reading": "SELECT count(*) FROM jobs WHERE state = 'running'",
        "writing": "SELECT count(*) FROM generations WHERE state = 'building'",
        "publishing": "SELECT count(*) FROM generations WHERE state = 'live' AND id > 1",
    }[moment]
    db = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=30)
    deadline = time.monotonic() + 100
    while not db.execute(question).fetchone()[0]:
        assert time.monotonic() < deadline
    db.close()


def left_over(session: int) -> list[int]:
    """Processes that still live some seconds after the leader of their session was killed."""
    for _ in range(100):
        alive = [
            int(folder.name)
            for folder in Path("/proc").iterdir()
            if folder.name.isdigit() and session_of(folder) == session
        ]
        if not alive:
            return []
        time.sleep(0.1)
    return alive


def session_of(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[3])
    except (OSError, IndexError, ValueError):
        return 0
