"""Files that are one user's own: keys, approvals, releases, policy. Others may neither read nor change them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mpc.errors import UsageError

_OTHERS_MAY_READ_OR_WRITE = 0o077
_OTHERS_MAY_WRITE = 0o022


def make_folder(folder: Path) -> None:
    """Make a folder for its owner alone, if it is missing.

    Raises:
        UsageError: it cannot be made, or others can change what is in it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"the folder {folder} is, or is in, a file", "name another folder") from None
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be written: {_reason(error)}", "name another folder") from None
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Refuse a folder in which others can replace a file.

    Raises:
        UsageError: others can, or the folder cannot be looked at.
    """
    try:
        found = folder.stat()
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be read: {_reason(error)}") from None
    if stat.S_IMODE(found.st_mode) & _OTHERS_MAY_WRITE:
        raise UsageError(f"others than its owner can change what is in {folder}", f"chmod go-w {folder}")
    _check_owner(found, folder)


def read_private(path: Path) -> bytes:
    """Read a file that only its owner can open.

    Raises:
        FileNotFoundError: it is not there.
        UsageError: it cannot be read, or others can open it.
    """
    return _read(path, _OTHERS_MAY_READ_OR_WRITE)


def read_own(path: Path) -> bytes:
    """Read a file that others may read, but not change.

    Raises:
        FileNotFoundError: it is not there.
        UsageError: it cannot be read, or others can change it.
    """
    return _read(path, _OTHERS_MAY_WRITE)


def open_private(path: str, flags: int) -> int:
    """An opener for `open`: a new file is for its owner alone, whatever the umask."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def create_private(path: Path, content: bytes) -> None:
    """Create a file that only its owner can open; nothing is left behind if it cannot be written whole.

    Raises:
        FileExistsError: it is there already.
        UsageError: it cannot be written.
    """
    _write_new(path, content, path, sync=True)
    _sync_folder(path)


def replace_file(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Replace a file by new content, readable by its owner only, whole or not at all.

    Args:
        sync: whether to wait until it is on the disk.

    Raises:
        UsageError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    _write_new(temporary, content, path, sync=sync)
    try:
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {_reason(error)}") from None
    if sync:
        _sync_folder(path)


def replace_text(path: Path, text: str) -> None:
    """Replace a text that can be made again, such as a page: as `replace_file`, but without a wait for the disk.

    Raises:
        UsageError: it cannot be written.
    """
    replace_file(path, text.encode("utf-8", "backslashreplace"), sync=False)


def _sync_folder(path: Path) -> None:
    """Wait until the name of a new file is on the disk: a file that was synchronised may else be lost with its name."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {_reason(error)}") from None


def _write_new(where: Path, content: bytes, path: Path, *, sync: bool) -> None:
    """A new file `where`, for its owner alone; an error names the `path` that the content is for."""
    try:
        descriptor = open_private(str(where), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {_reason(error)}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(file.fileno())
    except OSError as error:
        where.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {_reason(error)}") from None


def append_private(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Append to a file that only its owner can open.

    Args:
        sync: whether to wait until it is on the disk, so that it survives a failure of the machine.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        descriptor = open_private(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            written = file.write(content)
            if sync:
                os.fsync(file.fileno())
            new = os.fstat(file.fileno()).st_size == written
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {_reason(error)}") from None
    if sync and new:
        _sync_folder(path)
    if written != len(content):
        raise UsageError(f"{path} cannot be written: the disk is full")


def read_lines(path: Path) -> list[bytes]:
    """The lines of a journal, which only its owner can open.

    A line counts once it was written whole. What a crash cut off stays unread, and `append_line` removes it.

    Raises:
        FileNotFoundError: it is not there.
        UsageError: it cannot be read, or others can open it.
    """
    return read_private(path).split(b"\n")[:-1]


def append_line(path: Path, line: bytes, *, sync: bool = True) -> None:
    """Append a line to a journal, which is created if missing; a last line that a crash cut off is removed.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with open(path, "rb+") as file:
            content = file.read()
            end = content.rfind(b"\n") + 1
            if end < len(content):
                file.truncate(end)
                file.flush()
                os.fsync(file.fileno())
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {_reason(error)}") from None
    append_private(path, line + b"\n", sync=sync)


@contextlib.contextmanager
def lock_folder(folder: Path, taken: UsageError | None = None) -> Iterator[None]:
    """Hold a lock that this machine's processes share for the folder. The kernel frees it when the process ends.

    Args:
        taken: the error where another process holds it; None waits for that process.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if taken is not None else 0))
        except BlockingIOError:
            raise taken or UsageError(f"{folder} is locked") from None
        yield
    finally:
        os.close(descriptor)


def _read(path: Path, forbidden: int) -> bytes:
    try:
        # fstat of the open file: another file may be put in its place meanwhile.
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            content = file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {_reason(error)}") from None
    if stat.S_IMODE(found.st_mode) & forbidden:
        if forbidden == _OTHERS_MAY_WRITE:
            raise UsageError(f"others than its owner can change {path}", f"chmod go-w {path}")
        raise UsageError(f"others than its owner can read {path}", f"chmod 600 {path}")
    _check_owner(found, path)
    return content


def _check_owner(found: os.stat_result, path: Path) -> None:
    if os.geteuid() not in (0, found.st_uid) and found.st_uid != 0:
        raise UsageError(f"{path} belongs to another user", "run as that user, or copy it into a folder of your own")


def _reason(error: OSError) -> str:
    return error.strerror or "unknown reason"
