"""The waits of a party in a round: its own deadline, and its peers' signs, which say for whom they wait.

A deadline counts while the peers that are waited for could answer: not while the contact with one is lost, nor while
one says that it waits for another with whom it lost contact. Such pauses add up to the patience at most. So a round
takes no longer than the deadline and the patience together.

A peer's sign comes every quarter of a deadline, and whenever a contact is lost or found: it has the number of the
peer's round, the parties for which it waits, and those of them with which it lost contact. The helper, which
waits for owners that compute among themselves, takes a higher number for progress. Signs are no part of the rounds, and
are counted nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from mpc.errors import ProtocolError

UNHEARD_DEADLINES: Final = 10
"""So many deadlines, and the patience, does the helper wait for a sign that an owner goes on: between two rounds all
owners may compute at once for longer than a deadline, which only says how long one keeps another waiting."""

SIGNS_A_DEADLINE: Final = 4
LONGEST_SIGN: Final = 1 << 14
_MOST_ROUNDS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Sign:
    """A party's message about itself.

    Args:
        rounds: the number of rounds that it has begun.
        waits: the parties for which it waits.
        lost: those of them with which it has lost contact.
    """

    rounds: int = 0
    waits: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()


class Wait:
    """One wait of a party.

    Args:
        label: the label of the awaited message.
        now: its beginning.
        deadline: seconds.
        patience: seconds that all pauses together may take.
    """

    def __init__(self, label: str, now: float, deadline: float, patience: float) -> None:
        self.label = label
        self.began = self._looked = now
        self.end = now + deadline
        self._left = patience
        self._paused = False

    def look(self, now: float, *, paused: bool) -> bool:
        """Whether the deadline is not over yet; sets whether it counts from now on."""
        if self._paused:
            pause = min(now - self._looked, self._left)
            self._left -= pause
            self.end += pause
        self._looked, self._paused = now, paused
        return now <= self.end


def sign_body(sign: Sign) -> bytes:
    """A sign as a payload."""
    return json.dumps([sign.rounds, sorted(sign.waits), sorted(sign.lost)]).encode()


def read_sign(peer: str, body: bytes, parties: Set[str]) -> Sign:
    """Read a peer's sign; parties that it names must be those of the scenario.

    Raises:
        ProtocolError: it is no sign.
    """
    try:
        rounds, waits, lost = json.loads(body[: LONGEST_SIGN + 1])
        sign = Sign(_count(rounds), _names(waits, parties), _names(lost, parties))
    except (ValueError, TypeError, RecursionError):
        raise ProtocolError(f"{peer} sent a malformed sign of whom it waits for", party=peer) from None
    return sign


def lost_behind(missing: Set[str], signs: Mapping[str, Sign]) -> bool:
    """Whether one of these, or of those for which they wait, says that it lost contact with a party it waits for."""
    return any(signs[peer].lost for peer in _behind(missing, signs) if peer in signs)


def cause(missing: Set[str], signs: Mapping[str, Sign], me: str) -> tuple[str, str | None]:
    """The party that keeps all others waiting, as far as is known, and the peer that says so, if it is not seen here.

    A peer that waits for nobody, or does not say so, is the cause; where all say that they wait, the one at the end. Of
    peers that say that they wait for each other, one does not say the truth: one is named, and as said by the other.
    """
    silent = [peer for peer in missing if not _waits(peer, signs, me)]
    if silent:
        return min(silent), None
    says: dict[str, str] = {}  # who waits for one, as it says
    for peer in sorted(missing):
        path = [peer]
        for one in path:  # which grows
            for behind in sorted(_waits(one, signs, me)):
                says.setdefault(behind, one)
                if behind not in path:
                    path.append(behind)
                if not _waits(behind, signs, me):
                    return behind, one
    return min(missing), says.get(min(missing))


def _waits(peer: str, signs: Mapping[str, Sign], me: str) -> frozenset[str]:
    return signs[peer].waits - {me} if peer in signs else frozenset()


def _behind(missing: Set[str], signs: Mapping[str, Sign]) -> list[str]:
    """These parties, those for which they wait, those for which these wait, and so on."""
    seen = sorted(missing)
    for peer in seen:  # which grows
        if peer in signs:
            seen.extend(sorted(signs[peer].waits - set(seen)))
    return seen


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST_ROUNDS:
        raise ValueError("not a number of rounds")
    return value


def _names(value: Any, parties: Set[str]) -> frozenset[str]:
    names = frozenset(value)
    if not isinstance(value, list) or not names <= parties:
        raise ValueError("not a list of parties")
    return names
