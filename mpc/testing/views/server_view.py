"""check_server: what a server sees of its clients, alone or with some of them, is alike for inputs with one result.

The protocol is run many times under two inputs of the clients that give the same result. What is sent in the stages
that carry masked numbers must be uniform, alone and with any other, once everything is taken off that the adversary can
take off, and so must the differences of words within a message; what is sent in the others must be alike; and sizes and
texts must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mpc.randomness.streams import derive, insecure_entropy
from mpc.ring.array import Array
from mpc.ring.rings import Z64, Ring
from mpc.star.lockstep import StarMessage
from mpc.star.play import SESSION, Function, Played, run_clients
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.views.star_view import FALSE_ALARM, Summed, compare, paired
from mpc.testing.views.statistics import histograms, unlike

Inputs = Sequence[Sequence[Array]]
"""What each client gives: a list of arrays."""

_BYTES = Ring(8)
_MOST_APART = 16
_MOST_PLACES = 128


@dataclass(frozen=True)
class Known:
    """What a server and the clients that work with it have after a run.

    Args:
        messages: stage -> client -> what it sent; `answers` what it was told in answer to that.
        session: as of a `Client`.
    """

    coalition: tuple[int, ...]
    session: bytes
    _seed: bytes = field(repr=False)
    messages: dict[str, dict[int, bytes]] = field(default_factory=dict)
    answers: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def secret(self, client: int, label: str) -> bytes:
        """The secret that a client of the coalition drew under this label."""
        if client not in self.coalition:
            raise ValueError(f"client {client} is none of the coalition {self.coalition}")
        return _secret(self._seed, f"client {client}", label)


TakeOff = Callable[[Known, int, str, Array], Array]
"""(what is known, client, stage, the words that it sent) -> the words without all that the adversary can take off."""


def check_server(
    client: Function,
    server: Function,
    inputs: tuple[Inputs, Inputs],
    *,
    masked: Collection[str],
    ring: Ring = Z64,
    coalition: Sequence[int] = (),
    take_off: TakeOff = lambda known, i, stage, words: words,
    vanish: Mapping[int, str] | None = None,
    runs: int = 200,
) -> Summed:
    """Compare what the server sees under two inputs.

    Args:
        client, server: the protocol's two functions.
        inputs: two inputs of all clients, with the same result; clients of the coalition give the same in both.
        masked: the stages whose messages are numbers under masks, words of `ring`.
        coalition: the clients that work with the server.
        take_off: takes the masks off that they know; needed with a coalition.
        vanish: client -> the stage in which it is gone.
        runs: of each of the two.

    Returns:
        The tests that were made, and the smallest shift of probability that they find.

    Raises:
        CheckFailed: a message shows more than the result; says of which client, in which stage.
    """
    sides = [[_seen(client, server, inputs[w], w, run, coalition, vanish) for run in range(runs)] for w in (0, 1)]
    first = sides[0][0]
    for played, known in (pair for side in sides for pair in side):
        _check_alike(first, played, known)
    honest = [i for i in range(len(inputs[0])) if i not in coalition]

    def words(known: Known) -> dict[str, Array]:
        return {
            f"'{stage}' of client {i}": ring.from_bytes(known.messages[stage][i], (-1,)).copy()
            for stage in masked
            for i in honest
            if i in known.messages[stage]
        }

    def items(known: Known) -> dict[str, Array]:
        sent = words(known)
        if not coalition:
            return paired(sent, ring) | _apart(sent, ring)
        left = {
            f"'{stage}' of client {i}, masks taken off": take_off(known, i, stage, sent[f"'{stage}' of client {i}"])
            for stage in masked
            for i in honest
            if i in known.messages[stage]
        }
        return paired(left, ring) | _apart(left, ring) | _apart(sent, ring)

    found = compare([[items(known) for _, known in side] for side in sides], ring)
    in_clear = [
        (f"'{stage}' of client {i}", place, [[known.messages[stage][i] for _, known in side] for side in sides])
        for stage, sent in first[1].messages.items()
        for i, body in sent.items()
        if stage not in masked and i in honest
        for place in _places(len(body))
    ]
    for name, place, both in in_clear:
        one, other = (
            histograms(np.stack([np.frombuffer(body, np.uint8)[place] for body in each]), _BYTES) for each in both
        )
        for nibble, p in unlike(one, other):
            if p < FALSE_ALARM / (found.tests + 2 * len(in_clear)):
                where = f"in bits {4 * nibble} to {4 * nibble + 3} of bytes {place.start} to {place.stop - 1}"
                raise CheckFailed(f"{name} differs between the inputs, {where} (p = {p:.0e})")
    return found


def _seen(
    client: Function,
    server: Function,
    inputs: Inputs,
    which: int,
    run: int,
    coalition: Sequence[int],
    vanish: Mapping[int, str] | None,
) -> tuple[Played, Known]:
    seed = derive(bytes(32), f"check_server/{which}/{run}")
    known = Known(tuple(coalition), _secret(seed, SESSION, "session"), seed)

    def see(message: StarMessage) -> None:
        (known.messages if message.up else known.answers).setdefault(message.label, {})[message.client] = message.body

    played = run_clients(
        client, server, inputs, entropy=lambda name: partial(_secret, seed, name), vanish=vanish, see=see
    )
    return played, known


def _secret(seed: bytes, name: str, label: str) -> bytes:
    return insecure_entropy(int.from_bytes(seed[:8], "little") >> 1, name)(label)


def _check_alike(first: tuple[Played, Known], played: Played, known: Known) -> None:
    """The result, the stages, the sizes of all messages and all texts are the same in every run."""
    one, seen = first
    if not np.allclose(np.asarray(one.result, dtype=np.float64), np.asarray(played.result, dtype=np.float64)):
        raise CheckFailed(f"the two inputs give other results: {one.result} and {played.result}")
    if [(each.what, each.why) for each in one.learnt] != [(each.what, each.why) for each in played.learnt]:
        raise CheckFailed("the texts of a reveal differ between runs")
    for before, now in ((seen.messages, known.messages), (seen.answers, known.answers)):
        if list(before) != list(now):
            raise CheckFailed(f"the stages differ between runs: {', '.join(before)}, and {', '.join(now)}")
        for stage, sent in before.items():
            for i in {*sent, *now[stage]}:
                sizes = len(sent.get(i, b"")), len(now[stage].get(i, b""))
                if sizes[0] != sizes[1]:
                    raise CheckFailed(f"'{stage}' of client {i} has {sizes[0]} bytes in one run, {sizes[1]} in another")


def _apart(seen: Mapping[str, Array], ring: Ring) -> dict[str, Array]:
    """The differences of words within each message."""
    return {
        f"the difference of words {k} apart in {name}": ring.sub(words[k:], words[:-k])
        for name, words in seen.items()
        for k in range(1, min(words.size, _MOST_APART))
    }


def _places(size: int) -> list[slice]:
    """The parts of a message that are looked at: all of it, and each of its first bytes."""
    return [slice(0, size), *(slice(k, k + 1) for k in range(min(size, _MOST_PLACES)))] if size else []
