"""The errors readers share: each names the file, the cause and what to do."""

from __future__ import annotations

from pathlib import Path

from app.core.errors import NoText, UnreadableFile

_AGAIN = "元のファイルを開けるか確かめ、もう一度保存したものを登録してください。"


def broken(path: Path, kind: str, inside: str = "") -> UnreadableFile:
    """The file, or a part inside it, does not open as what it should be."""
    where = f"{path.name}の中の{inside}" if inside else path.name
    return UnreadableFile(
        f"{where}は{kind}として開けません(壊れているか、途中で切れています)。",
        hint=_AGAIN,
        field=path.name,
    )


def locked(path: Path, password: str | None) -> UnreadableFile:
    """The file wants a password, or another one."""
    cause = "のパスワードが違います" if password else "はパスワードで保護されています"
    return UnreadableFile(
        f"{path.name}{cause}。",
        hint="保護を外して保存したファイルを登録してください。shiori read --password で中身を確かめられます。",
        field=path.name,
    )


def unknown_encoding(path: Path) -> UnreadableFile:
    """No known character encoding fits."""
    return UnreadableFile(
        f"{path.name}の文字コードがわかりません。",
        hint="UTF-8で保存し直してください。",
        field=path.name,
    )


def too_many_pages(path: Path, count: int, limit: int) -> UnreadableFile:
    """More pages than one book may have."""
    return UnreadableFile(
        f"{path.name}は{count:,}ページあり、上限の{limit:,}ページを超えています。",
        hint="ファイルを分けて登録してください。",
        field=path.name,
    )


def empty(path: Path) -> NoText:
    """The file opens but holds no words."""
    return NoText(
        f"{path.name}には文字がありません。",
        hint="中身を確かめ、文章の入ったファイルを登録してください。",
        field=path.name,
    )


def pictures_only(path: Path) -> NoText:
    """Every page is a picture, and nothing here can read pictures."""
    return NoText(
        f"{path.name}に文字の情報がありません(紙面の画像だけです)。",
        hint="文字認識(OCR)を組み込んで登録し直すか、文字入りのPDFを用意してください。",
        field=path.name,
    )
