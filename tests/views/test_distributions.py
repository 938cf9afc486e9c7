"""What an owner sees is distributed alike for any two secrets with the same outputs; planted leaks are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc.correlation import MultiplyTriple, Spec, Uniform
from mpc.ghost import ghost
from mpc.party import Party
from mpc.plan import ProgramFactory, make_plan
from mpc.ring import Z64
from mpc.share import Mask, Share
from protocols.beaver import matmul, multiply
from protocols.comparison import any_set, outside
from protocols.held import Rows, hold, product, take_rows, transpose_product
from protocols.secure_sum import secure_sum
from protocols.sigmoid import sigmoid
from protocols.sigmoid_fits import FITS
from protocols.training_job import training_job
from protocols.training_settings import OwnRows, TrainingSettings
from protocols.truncation import truncate
from tests.helpers import owner_names, words
from tests.views.view_tools import BINS, THRESHOLD, record, same_distribution, traits, unlike

RUNS = 20
WIDTH = 100  # words of one secret in a run: each has a mask of its own, so they count as so many runs
Body = Callable[[Party, Share, Share], Any]


def on_secrets(body: Body, secrets: tuple[int, int], n: int) -> dict[str, ProgramFactory]:
    """Owners 0 and 1 give a secret each, `WIDTH` times over, and `body` computes on their shares."""
    x, y = (words([secret] * WIDTH) for secret in secrets)

    async def program(p: Party) -> Any:
        a = p.input("owner0", x if p.name == "owner0" else None, x.shape, 20)
        b = p.input("owner1", y if p.name == "owner1" else None, y.shape, 20)
        return await body(p, a, b)

    return dict.fromkeys(owner_names(n), program)


def differences(
    one: dict[str, ProgramFactory], other: dict[str, ProgramFactory], owner: str, runs: int = RUNS
) -> list[str]:
    """What `owner` saw that was distributed otherwise in the one program than in the other."""
    owners = tuple(one)
    plan = make_plan(one[owners[0]], owners, "helper")
    assert plan == make_plan(other[owners[0]], owners, "helper")
    sides = []
    for start, factories in ((0, one), (runs, other)):
        recordings = [record(factories, start + k, plan) for k in range(runs)]
        assert not any(message.receiver == "helper" for r in recordings for message in r.messages)
        sides.append([traits(recording, owner) for recording in recordings])
    return unlike(*sides)


# -- protocols: the last owner, who also has the helper's corrections, sees the same whatever the secrets are


async def _truncate(p: Party, x: Share, y: Share) -> Any:
    return await truncate(p, x, 7)


async def _multiply(p: Party, x: Share, y: Share) -> Any:
    return await multiply(p, x, y)


async def _matmul(p: Party, x: Share, y: Share) -> Any:
    return await matmul(p, x.reshape(10, 10), y.reshape(10, 10))


async def _held(p: Party, x: Share, y: Share) -> Any:
    held = await hold(p, x.reshape(2, WIDTH // 2))
    rows = Rows.of(np.array([0, 1]))
    await product(p, take_rows(held, rows), y[: WIDTH // 2], 9, label="w")
    await product(p, take_rows(held, rows), y[WIDTH // 2 :], 9, label="w again")
    return await transpose_product(p, take_rows(held, rows), y[:2], 9, label="e")


async def _sigmoid(p: Party, x: Share, y: Share) -> Any:
    return await sigmoid(p, x, FITS[0], 1.0, 26)


async def _outside(p: Party, x: Share, y: Share) -> Any:
    low = np.full(WIDTH, -1000, dtype=np.int64)
    return await outside(p, x, low, -low, label="outside")


async def _any(p: Party, x: Share, y: Share) -> Any:
    low = np.full(WIDTH, -1000, dtype=np.int64)
    return await any_set(p, await outside(p, x, low, -low, label="outside"), what="any", why="test")


LARGE = 2**61 + 12345
PROTOCOLS = {
    # the program, and two pairs of secrets that give the same output wherever it reveals one
    "truncate": (_truncate, (0, 0), (LARGE, 0)),
    "multiply": (_multiply, (0, 0), (LARGE, 7)),
    "matmul": (_matmul, (0, 0), (LARGE, 7)),
    "held products": (_held, (0, 0), (2**40, LARGE)),
    "sigmoid": (_sigmoid, (0, 0), (LARGE, 0)),
    "outside": (_outside, (0, 0), (LARGE, 0)),
    "any, none set": (_any, (0, 0), (-1000, 0)),
    "any, set": (_any, (1001, 0), (-LARGE, 0)),
}


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_shows_nothing_of_the_secrets(name: str, n: int) -> None:
    body, one, other = PROTOCOLS[name]
    if n == 2:  # the last owner's own secret stays the same: it may well see that
        one = (one[0], other[1])
    assert differences(on_secrets(body, one, n), on_secrets(body, other, n), f"owner{n - 1}") == []


def test_a_sum_shows_nothing_but_the_sum() -> None:
    def adding(parts: tuple[int, ...]) -> dict[str, ProgramFactory]:
        def factory(k: int) -> ProgramFactory:
            own = np.full(WIDTH, parts[k], dtype=np.uint64)
            return lambda p: secure_sum(p, ghost((WIDTH,)) if p.dry else own, 0, what="total", why="agreed")

        return {name: factory(k) for k, name in enumerate(owner_names(3))}

    assert differences(adding((5, 7, 1)), adding((11, 1, 1)), "owner2") == []


def test_a_training_shows_the_third_owner_nothing_but_the_model() -> None:
    """Two owners change rows with each other: the pooled rows, and so all that is revealed, stay as they are."""
    draw = np.random.default_rng(1)
    tables = [(draw.normal(size=(10, 1)) + k, np.arange(10.0) % 2) for k in range(3)]
    names = owner_names(3)
    how = TrainingSettings(
        names, "helper", (10, 10, 10), (0, 0, 0), 1, 0, 2, 30, 0.5, 0.1, 20.0, standardise=True, metrics=False
    )

    def programs(order: tuple[int, ...]) -> dict[str, ProgramFactory]:
        def factory(k: int) -> ProgramFactory:
            x, y = tables[order[k]]
            return lambda p: training_job(p, None if p.dry else OwnRows(("a",), x, y, x[:0], y[:0]), how)

        return {name: factory(k) for k, name in enumerate(names)}

    assert differences(programs((0, 1, 2)), programs((1, 0, 2)), "owner2", runs=40) == []


def test_the_comparison_has_the_power_it_states() -> None:
    draw = np.random.default_rng(2)
    even = np.full(BINS, 1 / BINS)
    moved = even + np.repeat([0.15, -0.15], BINS // 2) / (BINS // 2)
    alike = [same_distribution(*draw.multinomial(2000, even, size=2)) for _ in range(2000)]
    other = [same_distribution(draw.multinomial(2000, even), draw.multinomial(2000, moved)) for _ in range(500)]
    assert min(alike) > THRESHOLD
    assert np.mean(np.array(other) < THRESHOLD) > 0.99
    assert 0.03 < np.mean(np.array(alike) < 0.05) < 0.07  # the p-values are what they say they are


# -- planted leaks: the same comparison finds each of them


async def _mask_of_63_bits(p: Party, x: Share, y: Share) -> Any:
    (a,) = p.correlation(Uniform((Spec(x.shape, 20),)))
    short = Mask(a.value >> np.uint64(1), 20, Z64, a.id)
    return await p.open(x - short, label="leak")


async def _mask_used_twice(p: Party, x: Share, y: Share) -> Any:
    (a,) = p.correlation(Uniform((Spec(x.shape, 20),)))
    await p.open(x - a, label="first")
    return await p.open(y - Mask(a.value, 20, Z64, a.id + 1000), label="second")


async def _mask_of_32_bits(p: Party, x: Share, y: Share) -> Any:
    (a,) = p.correlation(Uniform((Spec(x.shape, 20),)))
    short = Mask(a.value & np.uint64(2**32 - 1), 20, Z64, a.id)
    return await p.open(x - short, label="leak")


async def _triple_with_one_factor(p: Party, x: Share, y: Share) -> Any:
    a, _, _ = p.correlation(MultiplyTriple(Spec(x.shape, 20), Spec(x.shape, 20)))
    return await p.open(x - a, y - Mask(a.value, 20, Z64, a.id + 1000), label="leak")


async def _share_without_a_mask(p: Party, x: Share, y: Share) -> Any:
    return await p._combine((x,), "leak")


LEAKS = {
    "a mask of 63 bits": (_mask_of_63_bits, "opened: high"),
    "a mask used twice": (_mask_used_twice, "less"),
    "a mask of 32 bits": (_mask_of_32_bits, "opened: high"),
    "a triple that masks both factors alike": (_triple_with_one_factor, "less"),
    "a share without a mask": (_share_without_a_mask, "opened: high"),
}


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_found(name: str, n: int) -> None:
    body, where = LEAKS[name]
    secrets = (0, 0), (2**62, 0)
    found = differences(on_secrets(body, secrets[0], n), on_secrets(body, secrets[1], n), f"owner{n - 1}")
    assert any(where in trait for trait in found), found


def test_a_sum_without_fresh_zeros_is_found() -> None:
    """Each owner's own addend, sent as it is: the sum is right, and the addends are bare."""

    def adding(parts: tuple[int, ...]) -> dict[str, ProgramFactory]:
        def factory(k: int) -> ProgramFactory:
            async def program(p: Party) -> Any:
                own = ghost((WIDTH,)) if p.dry else np.full(WIDTH, parts[k], dtype=np.uint64)
                return await p._combine((Share(own),), "leak")

            return program

        return {name: factory(k) for k, name in enumerate(owner_names(3))}

    found = differences(adding((5, 7, 1)), adding((11, 1, 1)), "owner2", runs=1)
    assert "0 leak: from owner0: low" in found
    assert "0 leak: opened: low" not in found
