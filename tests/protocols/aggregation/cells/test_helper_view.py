"""What the server, with as many clients as are tolerated, sees of withheld numbers; and what the helper sees of any.

Two inputs with the same numbers told, and the same cells small, must look alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mpc.randomness.key_agreement import KeyPair, unseal
from mpc.randomness.streams import Entropy, derive, insecure_entropy
from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.star.lockstep import run_star
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.views.star_view import check_sums
from protocols.aggregation import messages as m
from protocols.aggregation.cells.membership import Cell, CellTest
from protocols.aggregation.client import aggregation_client, unmask_key
from protocols.aggregation.helper import aggregation_helper
from protocols.aggregation.helper_messages import read_opened
from protocols.aggregation.parts.pack import unpack
from protocols.aggregation.server import aggregation_server
from protocols.aggregation.settings import Occasion, Settings, context
from tests.protocols.aggregation.adversary import Adversary, Tape
from tests.protocols.aggregation.rounds import Memory, without

BYTES = Ring(8)
CLIENTS, COALITION = 7, (2, 5)
CELLS, EACH = 8, 32  # a cell is a count, with which 32 numbers go
WITHHELD = np.arange(CELLS * EACH) < CELLS * EACH // 2  # the first half of the cells
TEST = CellTest(3, tuple(Cell((((EACH * c, 1),),), 1, tuple(range(EACH * c, EACH * (c + 1)))) for c in range(CELLS)))
SETTINGS = Settings(CLIENTS, CLIENTS - 1, 4, length=CELLS * EACH, bits=8, min_cohort=4, test=TEST)
ROUND = Occasion(b"session", 1, 1)


def inputs(which: int, dropped: int | None) -> dict[int, Array]:
    """Counts of 1 or 2 in the withheld cells, and other numbers with them; what is told is the same, of other parts."""
    vectors = {i: np.full(SETTINGS.length, 20 + i, dtype="<u4") for i in range(CLIENTS)}
    giver, taker = [i for i in range(CLIENTS) if i not in COALITION and i != dropped][:2]
    vectors[giver] += np.uint32(7 * which)
    vectors[taker] -= np.uint32(7 * which)
    if which:
        for i in (giver, taker):
            vectors[i][WITHHELD] = 90 + 3 * i
    for cell in range(CELLS // 2):
        for i in vectors:
            vectors[i][EACH * cell] = 1 + which if i == giver else 0
    return vectors


def played(which: int, run: int, settings: Settings, drops: Mapping[int, str]) -> tuple[Tape, Callable[[str], Entropy]]:
    def entropy(who: str) -> Entropy:
        return lambda label: derive(f"{which}/{run}".encode(), f"{who}/{label}")

    vectors = inputs(which, next(iter(drops), None))
    programs = {
        i: partial(aggregation_client, i, settings, ROUND, vectors[i], entropy(f"{i}"), Memory())
        for i in range(CLIENTS)
    }
    programs[settings.helper] = partial(aggregation_helper, settings, ROUND, entropy("helper"))
    tape = Tape()
    outcome = run_star(
        aggregation_server(settings, ROUND, insecure_entropy(run, f"server {which}")),
        programs,
        tape.over(without(drops)),
    )
    assert outcome.error is None, outcome.error
    return tape, entropy


def servers(
    drops: Mapping[int, str], settings: Settings = SETTINGS, *, shares_too: bool = False
) -> Callable[[int, int], Mapping[str, Array]]:
    """What is left of each honest vector, of all together, and of the sum with what the helper told taken off.

    Args:
        shares_too: the planted mistake: clients send the server, too, what they seal for the helper.
    """

    def see(which: int, run: int) -> Mapping[str, Array]:
        tape, entropy = played(which, run, settings, drops)
        opened = read_opened(settings, tape.up[settings.helper, m.DISCLOSED])
        survivors = [i for i in range(CLIENTS) if drops.get(i) not in (m.KEYS, m.SHARES, m.MASKED)]
        masked = _sum([unpack(tape.up[i, m.MASKED], settings.length, 8) for i in survivors])
        hidden = np.frombuffer(tape.up[settings.helper, m.HIDDEN], dtype=np.uint8).reshape(CELLS, -1)
        about, key = context(settings, ROUND), KeyPair(entropy("helper")("helper key"))
        for i in range(CLIENTS):
            sealed = tape.up.pop((i, m.UNMASK), None)
            if shares_too and sealed is not None:
                channel = m.read_keys(tape.up[i, m.KEYS], False).channel
                shares = unseal(unmask_key(key, channel, about, i), sealed, about)
                assert shares is not None
                tape.up[i, m.UNMASK] = shares
        del tape.up[settings.helper, m.KEYS]
        adversary = Adversary(settings, {i: entropy(f"{i}") for i in COALITION})
        adversary.learn(tape, ROUND)
        honest = [i for i in range(CLIENTS) if i not in COALITION and (i, m.MASKED) in tape.up]
        left = {f"client {i}": adversary.left(tape, ROUND, i) for i in honest}
        left["all"] = _sum([left[f"client {i}"] for i in honest if i in survivors])
        left["sum"] = masked - opened.masks
        seen = {name: words[WITHHELD].astype(np.uint8) for name, words in left.items()}
        assert np.array_equal(opened.disclosed, ~WITHHELD) or settings is not SETTINGS
        return seen | {"points": np.ascontiguousarray(hidden[:, 4:20]).reshape(-1)}

    return see


def _sum(vectors: list[Array]) -> Array:
    total: Array = np.sum(vectors, axis=0)
    return total & 255


DROPS = pytest.mark.parametrize(
    "drops", [{}, {0: m.SHARES}, {3: m.MASKED}, {4: m.UNMASK}], ids=["nobody", "shares", "masked", "unmask"]
)


@DROPS
def test_a_coalition_with_the_server_learns_no_withheld_number(drops: Mapping[int, str]) -> None:
    print(check_sums(servers(drops), BYTES, runs=8))


def test_shares_that_the_server_gets_too_are_caught() -> None:
    with pytest.raises(CheckFailed, match=r"client|all"):
        check_sums(servers({}, shares_too=True), BYTES, runs=8)


def test_a_helper_that_withholds_nothing_is_caught() -> None:
    """Small or not, every mask is told: the planted mistake shows in the sum."""
    open_ = replace(SETTINGS, test=CellTest(3, tuple(replace(cell, withholds=()) for cell in TEST.cells)))
    with pytest.raises(CheckFailed, match="sum"):
        check_sums(servers({}, open_), BYTES, runs=8)


def helpers(which: int, run: int) -> Mapping[str, Array]:
    """The points that the helper gets, as they are and raised to its powers: those that a match would have to meet."""
    tape, entropy = played(which, run, SETTINGS, {})
    blinded = tape.down[SETTINGS.helper, m.HIDDEN]
    secret, about = entropy("helper")("small sums"), context(SETTINGS, ROUND)
    points, raised = [], []
    for place in range(CELLS // 2):
        power = KeyPair(derive(secret, "small sums/power", about + place.to_bytes(4, "little")))
        for one in m.pieces(blinded[96 * place : 96 * (place + 1)], 3, 32, "points"):
            points.append(np.frombuffer(one, dtype=np.uint8)[4:20])
            raised.append(np.frombuffer(power.shared(one), dtype=np.uint8)[4:20])
    return {"points": np.concatenate(points), "raised": np.concatenate(raised)}


def test_the_helper_sees_points_that_say_nothing_of_the_numbers() -> None:
    print(check_sums(helpers, BYTES, runs=16))


def test_the_helper_opens_nothing_for_a_smaller_cohort() -> None:
    """A server that waits for fewer, with clients that help it: the helper was told another number, and stops first."""
    strict = replace(SETTINGS, min_cohort=CLIENTS)
    programs = {
        i: partial(aggregation_client, i, SETTINGS, ROUND, vector, insecure_entropy(1, f"{i}"), Memory())
        for i, vector in inputs(0, None).items()
    }
    programs[SETTINGS.helper] = partial(aggregation_helper, strict, ROUND, insecure_entropy(1, "helper"))
    tape = Tape()
    server = aggregation_server(SETTINGS, ROUND, insecure_entropy(1, "server"))
    outcome = run_star(server, programs, tape.over(without({3: m.MASKED})))
    assert outcome.result is None
    assert "there are 6 survivors, and 7 are needed" in str(outcome.failed[SETTINGS.helper])
    assert (SETTINGS.helper, m.HIDDEN) not in tape.up


def test_nothing_of_a_vector_reaches_the_helper() -> None:
    """What it is handed is all public, or sealed for it: no client's y_i, and not their sum."""
    tape, _ = played(0, 0, SETTINGS, {})
    total = _sum([unpack(tape.up[i, m.MASKED], SETTINGS.length, 8) for i in range(CLIENTS)])
    handed = b"".join(body for (i, _), body in tape.down.items() if i == SETTINGS.helper)
    for vector in (*(tape.up[i, m.MASKED] for i in range(CLIENTS)), total.astype(np.uint8).tobytes()):
        assert vector[:16] not in handed
