"""Builds the sample shelf: Markdown in `sources/` becomes two PDFs and one EPUB beside this file.

Run `python -m ingest.samples.build` from the repository root, with names (`tebiki`) to build only
those; it needs Chromium and the BIZ UD fonts named in README.md. The built files are kept in the
repository, so only those who edit the sources run it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ingest.samples.epub import build_epub
from ingest.samples.manuscript import read_manuscript
from ingest.samples.printed import MONDO, TEBIKI, build_pdf

HERE = Path(__file__).parent


def main() -> None:
    """Build every book, or only those named on the command line, each with its sidecar."""
    targets = {"tebiki": "tebiki.pdf", "mondo": "mondo.pdf", "shogai": "shogai.epub"}
    layouts = {"tebiki": TEBIKI, "mondo": MONDO}
    for name in sys.argv[1:] or targets:
        book = read_manuscript(HERE / "sources" / f"{name}.md")
        target = HERE / targets[name]
        if name in layouts:
            build_pdf(book, layouts[name], target)
        else:
            build_epub(book, target)
        # The shelf is the one fact no colophon states.
        shelf = json.dumps(book.meta["shelf"], ensure_ascii=False)
        target.with_name(target.name + ".toml").write_text(f"shelf = {shelf}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
