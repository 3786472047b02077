"""Examples in the interface's description: what the sample shelf answers, shortened."""

from __future__ import annotations

from typing import Any

QUERY = "離婚後も結婚していたときの名字を名乗りたい"

_ANSWER = (
    "問55　離婚後も結婚していたときの名字を名乗りたい。\n"
    "答　離婚の日から3か月以内に、離婚の際に称していた氏を称する旨を届け出る。"
)
_PASSAGE_ID = "539bd0c3e8b3-59ff8c9da0"
_PLACE: dict[str, Any] = {
    "section_path": [
        "第6章　離婚と氏・親権",
        "第2節　離婚と氏",
        "問55　離婚後も結婚していたときの名字を名乗りたい。",
    ],
    "article": "問55",
    "page_index": 35,
    "page_index_end": 35,
    "page_label": "27",
}

QUESTION: dict[str, Any] = {"query": QUERY, "k": 5, "filters": {}}

BOOK: dict[str, Any] = {
    "id": "539bd0c3e8b3",
    "title": "戸籍窓口問答集（見本）",
    "edition": "第2版",
    "shelf": "見本棚",
    "authors": "栞見本編集室",
    "publisher": "栞見本編集室",
    "published": "2025-12",
    "isbn": "",
    "as_of": "2025-10-01",
    "pages": 60,
    "passages": 104,
    "superseded_by": "",
    "source_file": "/本棚/mondo.pdf",
}

HIT: dict[str, Any] = {
    "rank": 1,
    "score": 1.43,
    "passage_id": _PASSAGE_ID,
    "book_id": BOOK["id"],
    "book_title": BOOK["title"],
    "edition": BOOK["edition"],
    **_PLACE,
    "text": _ANSWER,
    "source_file": BOOK["source_file"],
    "shelf": BOOK["shelf"],
    "as_of": BOOK["as_of"],
    "superseded": False,
    "warnings": [],
    "similar": [],
}

_FOUND: dict[str, Any] = {
    "query": QUERY,
    "took_ms": 12.3,
    "hits": [HIT],
    "expansions": [{"term": "名字", "adds": ["氏"], "articles": []}],
    "notices": [],
}

SEARCH: dict[str, Any] = _FOUND

ASK: dict[str, Any] = {
    **_FOUND,
    "answered": True,
    "answer": [
        {
            "text": _ANSWER,
            "citations": [_PASSAGE_ID],
            "spans": [{"passage_id": _PASSAGE_ID, "start": 0, "end": len(_ANSWER)}],
            "verbatim": True,
            "limits": [],
        }
    ],
    "reason": "",
    "confidence": 1.0,
    "by_model": False,
    "dropped": 0,
    "differing": [],
    "inquiry": "",
}

PASSAGE: dict[str, Any] = {
    "passage_id": _PASSAGE_ID,
    "book": BOOK,
    **_PLACE,
    "text": _ANSWER,
    "boxes": [
        {"page_index": 35, "boxes": [{"x0": 0.12, "y0": 0.31, "x1": 0.71, "y1": 0.33}]},
    ],
    "about": [],
    "cites": ["民法:767:2", "戸籍法:77_2"],
}

HEALTH: dict[str, Any] = {
    "status": "ready",
    "version": "0.1.0",
    "books": 3,
    "passages": 209,
    "search": "lexical",
    "engine": "embedded",
    "model": "",
    "model_state": "none",
    "reranker": "",
    "reranker_state": "none",
    "llm": "",
    "llm_state": "none",
    "message": "語による検索だけで動いています。",
}
