"""What a scenario asks of a party, as far as a policy has rules on it. It knows no kind of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Request:
    """What a scenario asks of its owners or clients.

    Args:
        kind: of task.
        reveals: what a policy's `reveals` must list: the names that let each through, its own first.
        small_counts: results that may disclose a count of rows below a given one, and what to do about it, for a
            policy's `minimum_cell`.
        owners: the fewest owners whose sum may be disclosed, for `minimum_owners`.
        owners_text: the same in words.
        task: its settings, of which a policy checks the minimums of rows.
        insecure: whether a test seed makes all secrets known.
        plain: whether the server sees each client's own numbers.
        epsilon: of all that is disclosed; None without [privacy].
    """

    kind: str
    reveals: Sequence[tuple[str, ...]]
    small_counts: Callable[[int], Sequence[str]]
    owners: int
    owners_text: str
    task: Mapping[str, Any]
    insecure: bool = False
    plain: bool = False
    epsilon: float | None = None
