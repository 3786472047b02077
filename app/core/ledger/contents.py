"""What stands in the books: pages, printed lines, passages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.core.book import Line, Page, Passage
from app.core.errors import NotFound
from app.core.ledger.books import Books
from app.core.ledger.rows import page_of, passage_of, unpack_lines


class Contents(Books):
    """Pages and passages of the books on the shelf."""

    def page(self, book_id: str, page_index: int) -> Page:
        """One page of the live generation, without line boxes; raises NotFound."""
        row = self._db.execute(
            "SELECT p.* FROM pages p JOIN books b ON b.generation = p.generation"
            " WHERE b.id = ? AND p.page_index = ?",
            (book_id, page_index),
        ).fetchone()
        if row is None:
            self.book(book_id)
            raise NotFound(
                f"書籍 {book_id} に{page_index + 1}枚目のページはありません。",
                hint="ページ番号を確かめてください。",
                field="page_index",
            )
        return page_of(row)

    def page_text(self, book_id: str, page_index: int) -> str:
        """The text of one page as it is read; raises NotFound."""
        self.page(book_id, page_index)
        row = self._db.execute(
            "SELECT p.text FROM pages p JOIN books b ON b.generation = p.generation"
            " WHERE b.id = ? AND p.page_index = ?",
            (book_id, page_index),
        ).fetchone()
        return str(row["text"])

    def pages(self, book_id: str) -> list[Page]:
        """The pages of a book in order, without their lines."""
        self.book(book_id)
        rows = self._db.execute(
            "SELECT p.* FROM pages p JOIN books b ON b.generation = p.generation"
            " WHERE b.id = ? ORDER BY p.page_index",
            (book_id,),
        ).fetchall()
        return [page_of(row) for row in rows]

    def lines(self, book_id: str, page_index: int) -> tuple[Line, ...]:
        """The printed lines of one page in reading order, with their boxes; raises NotFound.

        Pages written before lines were kept come as paragraphs without boxes.
        """
        text = self.page_text(book_id, page_index)
        row = self._db.execute(
            "SELECT l.lines FROM page_lines l JOIN books b ON b.generation = l.generation"
            " WHERE b.id = ? AND l.page_index = ?",
            (book_id, page_index),
        ).fetchone()
        if row is None:
            return tuple(Line(paragraph) for paragraph in text.splitlines())
        return unpack_lines(row["lines"])

    def page_lengths(self, book_id: str) -> dict[int, int]:
        """How many characters each page of a book holds, by page index."""
        rows = self._db.execute(
            "SELECT p.page_index, length(p.text) AS length FROM pages p"
            " JOIN books b ON b.generation = p.generation WHERE b.id = ?",
            (book_id,),
        ).fetchall()
        return {int(row["page_index"]): int(row["length"]) for row in rows}

    def doubtful_pages(self) -> dict[str, int]:
        """How many pages of each book its reader noted something about, or found no text on.

        Books without such a page are left out.
        """
        # Of all generations at once: asked of one, the planner would read its pages whole.
        rows = self._db.execute(
            "SELECT b.id, d.n FROM (SELECT generation, count(*) AS n FROM pages"
            " WHERE warnings != '[]' OR text = '' GROUP BY generation) d"
            " JOIN books b ON b.generation = d.generation"
        ).fetchall()
        return {str(row["id"]): int(row["n"]) for row in rows}

    def passages(self, keys: Sequence[tuple[int, str]]) -> dict[tuple[int, str], Passage]:
        """Passages by (generation, passage id); keys that no longer exist are left out."""
        wanted = dict.fromkeys(keys)
        if not wanted:
            return {}
        marks = ", ".join(["(?, ?)"] * len(wanted))
        # One statement however many books the passages stand in; CROSS JOIN keeps its order.
        rows = self._db.execute(
            f"WITH wanted (generation, id) AS (VALUES {marks})"
            " SELECT p.*, g.book_id FROM wanted w"
            " CROSS JOIN passages p ON p.generation = w.generation AND p.id = w.id"
            " JOIN generations g ON g.id = p.generation",
            tuple(value for key in wanted for value in key),
        )
        return {(int(row["generation"]), str(row["id"])): passage_of(row) for row in rows}

    def passage(self, passage_id: str) -> Passage:
        """One passage of a book on the shelf; raises NotFound."""
        book_id = passage_id.split("-", 1)[0]
        generation = self.live_generations().get(book_id, 0)
        passage = self.passages([(generation, passage_id)]).get((generation, passage_id))
        if passage is None:
            raise NotFound(
                f"パッセージ {passage_id} はこの書棚にありません。",
                hint="本が差し替えられた可能性があります。もう一度検索してください。",
                field="passage_id",
            )
        return passage

    def passages_of(self, book_id: str) -> Iterator[tuple[int, Passage]]:
        """A book's live passages in order, each with its generation."""
        rows = self._db.execute(
            "SELECT p.*, g.book_id FROM passages p JOIN generations g ON g.id = p.generation"
            " WHERE g.book_id = ? AND g.state = 'live' ORDER BY p.ordinal",
            (book_id,),
        )
        for row in rows:
            yield int(row["generation"]), passage_of(row)

    def passages_in(self, generation: int) -> list[Passage]:
        """The passages of one generation in order, live or not."""
        rows = self._db.execute(
            "SELECT p.*, g.book_id FROM passages p JOIN generations g ON g.id = p.generation"
            " WHERE g.id = ? ORDER BY p.ordinal",
            (generation,),
        ).fetchall()
        return [passage_of(row) for row in rows]

    def neighbours(self, passage: Passage, distance: int = 1) -> list[Passage]:
        """The passages before and after one in its book, itself left out, in order."""
        rows = self._db.execute(
            "SELECT p.*, g.book_id FROM passages p JOIN generations g ON g.id = p.generation"
            " WHERE g.book_id = ? AND g.state = 'live' AND p.ordinal BETWEEN ? AND ?"
            " AND p.ordinal != ? ORDER BY p.ordinal",
            (
                passage.book_id,
                passage.ordinal - distance,
                passage.ordinal + distance,
                passage.ordinal,
            ),
        ).fetchall()
        return [passage_of(row) for row in rows]
