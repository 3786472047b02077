"""The error tree: every failure a user can see has a code, an HTTP status and a Japanese sentence.

A message names what is wrong; a hint says what to do next. Both are shown on the
page, printed by the command line and returned by the API in one JSON shape.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any


class ShioriError(Exception):
    """Base of all expected failures.

    `message` names the cause in Japanese, `hint` the next step; `field` is the
    request field or file at fault, where there is one.
    """

    code = "internal"
    status = 500

    def __init__(self, message: str, *, hint: str = "", field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries with their hint and field.
        return _restore, (type(self), self.message, self.hint, self.field)

    @property
    def in_full(self) -> str:
        """Cause and next step in one line."""
        return f"{self.message} {self.hint}".strip()

    def as_dict(self) -> dict[str, str]:
        """The JSON error shape: code, message, hint, field (empty strings where unknown)."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "field": self.field,
        }


def _restore(kind: type[ShioriError], message: str, hint: str, field: str) -> ShioriError:
    return kind(message, hint=hint, field=field)


class BadRequest(ShioriError):
    """The question, filter or argument cannot be used as given."""

    code = "bad_request"
    status = 422


class NotFound(ShioriError):
    """A book, passage or page that the shelf does not hold."""

    code = "not_found"
    status = 404


class Forbidden(ShioriError):
    """The caller may not do this."""

    code = "forbidden"
    status = 403


class Conflict(ShioriError):
    """What is asked for was overtaken by something else that was done."""

    code = "conflict"
    status = 409


class SettingsError(ShioriError):
    """A setting is unknown or has a value that cannot be used."""

    code = "bad_setting"


class UnreadableFile(ShioriError):
    """A file cannot be read as a book; nothing of it was indexed."""

    code = "unreadable_file"
    status = 422


class UnknownFormat(UnreadableFile):
    """No reader knows this kind of file."""

    code = "unknown_format"


class NoText(UnreadableFile):
    """The file opens, but holds no text to index (a scan, an empty page)."""

    code = "no_text"


class DataDirLocked(ShioriError):
    """Another process holds the data directory."""

    code = "data_dir_locked"
    status = 503


class DataDirTooNew(ShioriError):
    """The data directory was written by a newer version of the product."""

    code = "data_dir_too_new"
    status = 503


class PortInUse(ShioriError):
    """The service cannot listen on the chosen address."""

    code = "port_in_use"
    status = 503


class StoreUnavailable(ShioriError):
    """The vector engine cannot be opened or reached."""

    code = "store_unavailable"
    status = 503


class ModelUnavailable(ShioriError):
    """A configured model cannot be loaded."""

    code = "model_unavailable"
    status = 503


class NotReady(ShioriError):
    """The service is still loading; the same call works shortly."""

    code = "not_ready"
    status = 503


_CAUSES = {
    errno.EACCES: "権限がありません",
    errno.EPERM: "権限がありません",
    errno.ENOENT: "見つかりません",
    errno.ENOTDIR: "途中にフォルダーでないものがあります",
    errno.EISDIR: "フォルダーです",
    errno.EEXIST: "同じ名前のファイルがあります",
    errno.ENOSPC: "空き容量がありません",
    errno.EDQUOT: "容量の割り当てを使い切っています",
    errno.EROFS: "読み取り専用です",
    errno.EIO: "読み書きの途中で装置が誤りを返しました",
    errno.ELOOP: "リンクが循環しています",
    errno.ENAMETOOLONG: "名前が長すぎます",
    errno.EMFILE: "開いているファイルが多すぎます",
    errno.EADDRINUSE: "すでに使われています",
    errno.EADDRNOTAVAIL: "このアドレスはこの機械にありません",
}


def why(error: OSError) -> str:
    """The cause of an operating system's error as a Japanese clause, without 。"""
    known = _CAUSES.get(error.errno or 0)
    return known or error.strerror or str(error)


_DEMANDS = {
    "missing": "必要です",
    "extra_forbidden": "知らない項目です",
    "int_parsing": "整数で指定してください",
    "int_type": "整数で指定してください",
    "int_from_float": "整数で指定してください",
    "float_parsing": "数で指定してください",
    "float_type": "数で指定してください",
    "string_type": "文字列で指定してください",
    "string_too_short": "空にはできません",
    "too_short": "1つ以上指定してください",
    "list_type": "リストで指定してください",
    "tuple_type": "リストで指定してください",
    "path_type": "ファイルのパスで指定してください",
    "model_attributes_type": "JSONのオブジェクトで指定してください",
    "json_invalid": "JSONとして読めません",
    "greater_than_equal": "{ge}以上にしてください",
    "less_than_equal": "{le}以下にしてください",
    "string_pattern_mismatch": "形が違います (正規表現 {pattern})",
    "literal_error": "{expected} のいずれかにしてください",
}


def demand(details: Mapping[str, Any]) -> str:
    """What pydantic's account of one bad value asks for, as a Japanese clause, without 。"""
    known = _DEMANDS.get(details["type"])
    return known.format(**details.get("ctx", {})) if known else str(details["msg"])
