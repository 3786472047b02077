"""ZIP files: reading members within bounds, and unpacking a delivery of books."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from app.core.errors import UnreadableFile
from ingest.readers.dispatch import is_junk
from ingest.readers.faults import broken, locked

MAX_MEMBER = 300 << 20
MAX_TOTAL = 4 << 30
MAX_RATIO = 200
MAX_MEMBERS = 20_000

_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a ZIP after looking at its declared sizes. Raises UnreadableFile."""
    try:
        archive = zipfile.ZipFile(path)
    except _FAULTS as error:
        raise broken(path, "ZIP") from error
    infos = archive.infolist()
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    bomb = total > MAX_TOTAL or (total > 50 << 20 and total > MAX_RATIO * max(packed, 1))
    if len(infos) > MAX_MEMBERS or bomb:
        archive.close()
        raise UnreadableFile(
            f"{path.name}は展開すると大きすぎます({total / 1e6:,.0f} MB、{len(infos):,}個)。",
            hint="中身を確かめ、必要なファイルだけを登録してください。",
            field=path.name,
        )
    return archive


def read_member(archive: zipfile.ZipFile, name: str, path: Path, limit: int = MAX_MEMBER) -> bytes:
    """One member's bytes, never more than `limit`. Raises UnreadableFile."""
    try:
        with archive.open(name) as member:
            data = member.read(limit + 1)
    except _FAULTS as error:
        raise broken(path, "ZIPの一部", name) from error
    if len(data) > limit:
        raise UnreadableFile(
            f"{path.name}の中の{name}は大きすぎます({limit / 1e6:,.0f} MBを超えます)。",
            hint="ファイルを分けて登録してください。",
            field=path.name,
        )
    return data


def unpack_zip(path: Path, into: Path) -> list[Path]:
    """Unpack into an existing folder and return the files written, in order of name.

    Members that would land outside the folder stop the whole unpacking. Names
    written by Japanese Windows (CP932 without the UTF-8 flag) are restored.
    Raises UnreadableFile.
    """
    written = []
    root = into.resolve()
    with open_zip(path) as archive:
        room = MAX_TOTAL
        for info in archive.infolist():
            name = member_name(info)
            if info.is_dir() or any(map(is_junk, _folders(name))):
                continue
            if info.flag_bits & 0x1:
                raise locked(path, None)
            target = (root / name).resolve()
            if not target.is_relative_to(root) or PurePosixPath(name).is_absolute():
                raise UnreadableFile(
                    f"{path.name}には外のフォルダに書こうとするファイル({name})があります。",
                    hint="このZIPは使わず、送り主に確かめてください。",
                    field=path.name,
                )
            data = read_member(archive, info.filename, path, min(MAX_MEMBER, room))
            room -= len(data)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            written.append(target)
    return sorted(written)


def member_name(info: zipfile.ZipInfo) -> str:
    """A member's name, with CP932 bytes read as such, and forward slashes."""
    name = info.filename
    if not info.flag_bits & 0x800:
        raw_bytes = info.orig_filename.encode("cp437", errors="replace")
        for encoding in ("utf-8", "cp932"):
            try:
                name = raw_bytes.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")


def _folders(name: str) -> tuple[str, ...]:
    """A member's folders and its own name; what leads out of the archive is told elsewhere."""
    return tuple(part for part in PurePosixPath(name).parts if part != "..")
