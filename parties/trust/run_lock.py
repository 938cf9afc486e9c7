"""One run of a party in a study at a time: a lock on a private file beside its keys, held during the run.

The kernel frees the lock when its process ends, however it ends. Two runs of one party would take each other's
connections, and write into one journal.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mpc.errors import UsageError
from parties.base.private_files import check_folder

_DIGITS: Final = 16
_LONGEST: Final = 20  # digits of a process id


def lock_path(folder: Path, me: str, digest: str) -> Path:
    """The file whose lock the run of a party holds, of the scenario with this digest."""
    return folder / f"{me}.{digest[:_DIGITS]}.lock"


@contextmanager
def lock_run(folder: Path, me: str, digest: str) -> Iterator[None]:
    """Hold the lock of a party's run: no other process of this machine runs it meanwhile.

    Args:
        folder: where its keys are.
        digest: the scenario's.

    Raises:
        UsageError: another process runs it, or the file cannot be locked.
    """
    path = lock_path(folder, me, digest)
    check_folder(folder)
    descriptor = _open_locked(path, me)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _open_locked(path: Path, me: str) -> int:
    """A descriptor that holds the lock on the file that is at this path."""
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            holder = os.pread(descriptor, _LONGEST, 0).decode("ascii", "replace")
            os.close(descriptor)
            process = f" (process {holder})" if holder.isdecimal() else ""
            raise UsageError(
                f"{me} runs this study here already{process}", "wait until it ends, or stop it first", party=me
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise UsageError(f"{path} cannot be locked: {error.strerror}", "keep the keys on a local disk") from None
        os.close(descriptor)  # its holder ended and removed it: there may be a new one


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", "a party notes beside its keys that it runs"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} is no file", "remove it")
    return descriptor


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at the path."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False
