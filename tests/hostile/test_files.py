"""Files made to hang, crash or fool a reader: each must end in time, with a reason that names the file."""

from __future__ import annotations

import os
import random
import time
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openpyxl
import pypdf
import pytest

from app.core.book import Document
from app.core.errors import UnreadableFile
from ingest.sandbox import Limits, read_book
from tests.ingest.pdfs import across, assemble, write_pdf

LIMITS = Limits(memory=600 << 20, ocr_memory=600 << 20, cpu=10, wall=20, stall=15)
SENTENCE = "戸籍に関する届出は本籍地でこれをしなければならない"
MUTATIONS = int(os.environ.get("MUTATIONS", "24"))


def refused(path: Path) -> UnreadableFile:
    """Read a file that cannot be read; its error, after looking at what every error must say."""
    began = time.monotonic()
    with pytest.raises(UnreadableFile) as caught:
        read_book(path, limits=LIMITS)
    assert time.monotonic() - began < 40
    assert path.name in caught.value.message
    assert caught.value.hint
    assert caught.value.field == path.name
    return caught.value


def attempt(path: Path) -> Document | None:
    """What a file reads as, None where it is refused with a reason that names it."""
    try:
        return read_book(path, limits=LIMITS)
    except UnreadableFile as error:
        if path.name not in error.message or not error.hint:
            pytest.fail(f"the reason does not help: {error.message!r} {error.hint!r}")
        return None


def good_pdf(path: Path) -> Path:
    return write_pdf(path, [across(SENTENCE, 50, 500), across(SENTENCE, 50, 480)])


def good_docx(path: Path) -> Path:
    body = f"<w:p><w:r><w:t>{SENTENCE}</w:t></w:r></w:p>" * 20
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "word/document.xml", f"<w:document {space}><w:body>{body}</w:body></w:document>"
        )
    return path


def good_xlsx(path: Path) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append([SENTENCE, 450])
    book.save(path)
    return path


def good_epub(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="p.opf"/></rootfiles></container>',
        )
        archive.writestr(
            "p.opf",
            '<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
            '</manifest><spine><itemref idref="a"/></spine></package>',
        )
        archive.writestr("a.xhtml", f"<html><body><p>{SENTENCE}</p></body></html>")
    return path


def good_html(path: Path) -> Path:
    path.write_text(f"<html><body><h1>総則</h1><p>{SENTENCE}</p></body></html>", "utf-8")
    return path


GOOD: dict[str, Callable[[Path], Path]] = {
    "pdf": good_pdf,
    "docx": good_docx,
    "xlsx": good_xlsx,
    "epub": good_epub,
    "html": good_html,
}


@pytest.mark.parametrize("kind", GOOD)
def test_the_unharmed_file_reads(tmp_path: Path, kind: str):
    document = read_book(GOOD[kind](tmp_path / f"a.{kind}"), limits=LIMITS)
    assert SENTENCE in document.pages[0].text


@pytest.mark.parametrize("kind", ["docx", "xlsx", "epub"])
def test_truncated_archives(tmp_path: Path, kind: str):
    path = GOOD[kind](tmp_path / f"切れた.{kind}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "壊れている" in refused(path).message


def test_truncated_pdf(tmp_path: Path):
    path = good_pdf(tmp_path / "切れた.pdf")
    path.write_bytes(path.read_bytes()[:300])
    assert "壊れている" in refused(path).message


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_encrypted_pdf_asks_for_its_password(tmp_path: Path, algorithm: str):
    path = tmp_path / "極秘.pdf"
    writer = pypdf.PdfWriter(clone_from=good_pdf(tmp_path / "a.pdf"))
    writer.encrypt("himitsu", algorithm=algorithm)
    writer.write(path)
    error = refused(path)
    assert "極秘.pdfはパスワードで保護されています" in error.message
    assert "保護を外して" in error.hint
    with pytest.raises(UnreadableFile, match="パスワードが違います"):
        read_book(path, password="chigau", limits=LIMITS)
    assert SENTENCE in read_book(path, password="himitsu", limits=LIMITS).pages[0].text


def test_zip_bomb(tmp_path: Path):
    path = tmp_path / "爆弾.docx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w", force_zip64=True) as member,
    ):
        for _ in range(120):
            member.write(b"<a>" * 350_000)
    assert "大きすぎます" in refused(path).message


def test_zip_that_lies_about_its_size(tmp_path: Path):
    path = tmp_path / "嘘.docx"
    good_docx(path)
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    refused(path)


def stream(body: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(body), entries, body)


def pdf_of(path: Path, content: bytes, *more: bytes, resources: bytes = b"") -> Path:
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents 4 0 R /Resources << %s >> >>"
        % resources,
        content,
        *more,
    ]
    path.write_bytes(assemble(objects))
    return path


def test_pdf_stream_bomb(tmp_path: Path):
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"0 0 m " * 1_000_000) for _ in range(60)) + packer.flush()
    refused(pdf_of(tmp_path / "爆弾.pdf", stream(packed, b"/Filter /FlateDecode")))


def test_form_that_draws_itself(tmp_path: Path):
    form = stream(
        b"/X Do /X Do",
        b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 5 0 R >> >>",
    )
    path = pdf_of(
        tmp_path / "自分.pdf", stream(b"/X Do"), form, resources=b"/XObject << /X 5 0 R >>"
    )
    refused(path)


def test_page_tree_that_holds_itself(tmp_path: Path):
    path = tmp_path / "輪.pdf"
    path.write_bytes(
        assemble(
            [
                b"<< /Type /Catalog /Pages 2 0 R >>",
                b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2000000000 >>",
            ]
        )
    )
    refused(path)


def test_cross_reference_loop(tmp_path: Path):
    path = good_pdf(tmp_path / "参照.pdf")
    data = path.read_bytes()
    place = data.rindex(b"xref\n0 ")
    path.write_bytes(data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % place))
    assert SENTENCE in read_book(path, limits=LIMITS).pages[0].text


def test_outline_that_never_ends(tmp_path: Path):
    path = good_pdf(tmp_path / "目次.pdf")
    data = path.read_bytes().replace(b"/Pages 2 0 R", b"/Pages 2 0 R /Outlines 90 0 R", 1)
    loop = b"<< /Title (x) /First 91 0 R /Next 91 0 R /Dest [5 0 R /Fit] >>"
    data += b"90 0 obj\n<< /First 91 0 R /Last 91 0 R >>\nendobj\n91 0 obj\n%s\nendobj\n" % loop
    path.write_bytes(data)
    document = read_book(path, limits=LIMITS)
    assert len(document.outline) <= 20_000


@pytest.mark.parametrize(
    ("name", "opening"),
    [("深い.html", "<div>"), ("深い.xml", "<Law>"), ("深い.xhtml", "<span>")],
)
def test_deep_nesting(tmp_path: Path, name: str, opening: str):
    path = tmp_path / name
    head = "<?xml version='1.0'?>" if name.endswith(".xml") else "<!doctype html><html><body>"
    path.write_text(head + opening * 200_000 + SENTENCE, "utf-8")
    document = attempt(path)
    assert document is None or document.pages


def test_entities_are_not_expanded(tmp_path: Path):
    path = tmp_path / "笑い.xml"
    entities = '<!ENTITY a0 "は">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
    )
    path.write_text(f"<?xml version='1.0'?><!DOCTYPE Law [{entities}]><Law>&a11;</Law>", "utf-8")
    refused(path)


def test_entities_do_not_fetch_files(tmp_path: Path):
    (tmp_path / "秘密.txt").write_text("秘密の文", "utf-8")
    path = tmp_path / "外.xml"
    path.write_text(
        f"<?xml version='1.0'?><!DOCTYPE Law [<!ENTITY x SYSTEM '{tmp_path}/秘密.txt'>]>"
        "<Law><LawNum>第一号</LawNum><LawBody><LawTitle>法</LawTitle><MainProvision><Paragraph>"
        f"<ParagraphSentence><Sentence>{SENTENCE}&x;</Sentence></ParagraphSentence></Paragraph>"
        "</MainProvision></LawBody></Law>",
        "utf-8",
    )
    document = attempt(path)
    assert document is None or "秘密の文" not in document.pages[0].text


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"%PDF-1.7\n" + b"\x00" * 5000, b"%PDF-"])
def test_empty_shells(tmp_path: Path, content: bytes):
    path = tmp_path / "殻.pdf"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("name", ["空.pdf", "空.docx", "空.epub", "空.txt", "空.png"])
def test_files_of_no_bytes(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(b"")
    assert "0バイト" in refused(path).message


def test_more_pages_than_a_book_may_have(tmp_path: Path):
    """Ten thousand and one pages from a few kilobytes: one page named again and again."""
    path = good_pdf(tmp_path / "万.pdf")
    data = path.read_bytes().replace(b"/Kids [5 0 R 7 0 R] /Count 2", b"/Kids 90 0 R /Count 10001")
    data += b"90 0 obj\n[" + b"5 0 R " * 10_001 + b"]\nendobj\n"
    path.write_bytes(data)
    assert "10,001ページ" in refused(path).message


@pytest.mark.parametrize("kind", GOOD)
def test_wrong_names_are_read_by_content_with_a_warning(tmp_path: Path, kind: str):
    path = tmp_path / ("改名.xlsx" if kind == "pdf" else "改名.pdf")
    path.write_bytes(GOOD[kind](tmp_path / f"a.{kind}").read_bytes())
    document = read_book(path, limits=LIMITS)
    assert SENTENCE in document.pages[0].text
    assert any("拡張子" in warning for warning in document.warnings)


def test_mutated_files_end_in_a_document_or_a_named_reason(tmp_path: Path):
    """`MUTATIONS=1000` for the long run."""
    shuffler = random.Random(20260401)
    originals = {kind: make(tmp_path / f"good.{kind}").read_bytes() for kind, make in GOOD.items()}
    paths = []
    for number in range(MUTATIONS):
        kind = list(originals)[number % len(originals)]
        data = bytearray(originals[kind])
        for _ in range(shuffler.choice((1, 3, 10, 40))):
            place = shuffler.randrange(len(data))
            data[place] = shuffler.randrange(256)
        if shuffler.random() < 0.2:
            del data[shuffler.randrange(len(data)) :]
        paths.append(tmp_path / f"変{number}.{kind}")
        paths[-1].write_bytes(bytes(data))

    def seconds(path: Path) -> float:
        began = time.monotonic()
        attempt(path)
        return time.monotonic() - began

    with ThreadPoolExecutor(2) as pool:
        assert max(pool.map(seconds, paths)) < 40
