"""The file in which a party records its rounds, in its run's folder: `NAME.trace`, for its user alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from mpc.errors import UsageError
from parties.base.private_files import append_private

SUFFIX: Final = ".trace"


def trace_path(folder: Path, party: str) -> Path:
    """A party's file."""
    return folder / f"{party}{SUFFIX}"


class TraceFile:
    """Takes lines. Where it cannot be written, as on a full disk, that ends no run: the rest is left out."""

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path

    def __call__(self, line: bytes) -> None:
        if self._path is None:
            return
        try:
            append_private(self._path, line, sync=False)
        except UsageError:
            self._path = None
