"""The failure of a check, also where the runtime itself refuses a protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mpc.errors import BeaverlodgeError


class CheckFailed(AssertionError):
    """A check found a fault in the protocol; the message names the round, the label and the parties."""


@contextmanager
def refusals(where: str) -> Iterator[None]:
    """Turn the runtime's refusals `where` into failed checks: a mask used twice, a share that steers the program ..."""
    try:
        yield
    except BeaverlodgeError as error:
        raise CheckFailed(f"{where} was refused: {error}") from error
