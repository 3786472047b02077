"""The error tree: every failure a user can see has a code, an HTTP status and a Japanese sentence.

A message names what is wrong; a hint says what to do next. Both are shown on the
page, printed by the command line and returned by the API in one JSON shape.
"""

from __future__ import annotations


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
