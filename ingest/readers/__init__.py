"""Files → Documents, one module a format; `read` tells the format by content, then by name."""

from ingest.readers.archive import unpack_zip
from ingest.readers.dispatch import SUFFIXES, find_files, is_book, read, sniff

__all__ = ["SUFFIXES", "find_files", "is_book", "read", "sniff", "unpack_zip"]
