"""Text files in other encodings, handed to DuckDB as UTF-8 through a pipe: no copy of them touches a disk."""

from __future__ import annotations

import codecs
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CODECS = {"utf-8": "utf-8-sig", "utf-16": "utf-16-le", "latin-1": "latin-1", "windows-1252": "cp1252"}


def codec_of(head: bytes, encoding: str) -> str:
    """Python's codec for a file with this head: a byte order mark overrides the setting."""
    return next((codec for mark, codec in _MARKS if head.startswith(mark)), _CODECS[encoding])


@contextmanager
def open_as_utf8(path: Path, codec: str) -> Iterator[Path]:
    """The path to read the file from, once, as UTF-8: its own if it is UTF-8, else a pipe's.

    Raises:
        UnicodeDecodeError: at the end of the `with`, if the file is not of that encoding.
        OSError: there, if it cannot be read to its end.
    """
    if codec == "utf-8-sig":
        yield path
        return
    reader, writer = os.pipe()
    problems: list[UnicodeDecodeError | OSError] = []
    thread = threading.Thread(target=_write_decoded, args=(path, codec, writer, problems))
    thread.start()
    try:
        yield Path(f"/dev/fd/{reader}")
    finally:
        os.close(reader)
        thread.join()
        if problems:
            # The cause of any error that the reader had with the truncated text.
            raise problems[0]


def _write_decoded(path: Path, codec: str, writer: int, problems: list[UnicodeDecodeError | OSError]) -> None:
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        with os.fdopen(writer, "wb") as out, path.open("rb") as file:
            while True:
                chunk = file.read(_CHUNK)
                out.write(decoder.decode(chunk, final=not chunk).encode("utf-8"))
                if not chunk:
                    return
    except BrokenPipeError:
        pass  # the reader stopped at a mistake in the table
    except (UnicodeDecodeError, OSError) as error:
        problems.append(error)
