"""Shares of results that are stored or handed on are independent of all that was sent.

The protocol runs twice, with other zeros between the owners and all else the same: each owner's shares of such a result
must be others in every word. Shares that were not made fresh are a function of what was sent and of correlations, and
so stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.programs import Case
from mpc.testing.views.draws import Draws
from mpc.testing.views.recording import Recording, record


def check_kept(case: Case, results: Sequence[int], seed: int) -> None:
    """Check the results of these numbers for that.

    Raises:
        CheckFailed: names the result and the owner.
    """
    one, other = (record(case, Draws(case.n, f"kept/{seed}", zeros)) for zeros in ("", "/other"))
    for number in results:
        for name in case.owners:
            mine, theirs = (_share(recording, name, number) for recording in (one, other))
            if mine.size and (mine == theirs).any():
                raise CheckFailed(f"the share of result {number} that {name} keeps was not made fresh")


def _share(recording: Recording, owner: str, number: int) -> np.ndarray:
    for note in recording.notes[owner]:
        if note.key == f"share of result {number}":
            return note.value
    raise CheckFailed(f"result {number} of {owner} is no share, and cannot be kept as one")
