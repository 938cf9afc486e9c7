"""A training that leaves its range ends in an error at every owner, with nothing of the model opened.

The kit's four checks of it are in tests/testing; here is what they cannot express: whole trainings that leave their
range by design, and chunks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ProtocolError
from mpc.ring.rings import Z64
from mpc.runtime.lockstep import Message, run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from mpc.sharing.share import Share
from protocols.linalg.held import Rows, hold
from protocols.plain.logistic import ReferenceModel, pooled, weight_difference
from protocols.rows.own_rows import OwnRows
from protocols.rows.settings import TrainingSettings
from protocols.training import descent as logistic
from protocols.training import dual, range_check
from protocols.training.batches import batches
from protocols.training.bit_budget import WEIGHT_LIMIT
from protocols.training.form import choose_fit
from protocols.training.range_check import Limits, check_range
from protocols.training.rows_job import training_job
from tests.examples import steady
from tests.helpers import demo_tables, entropy, example_tables, job, on_shares, train, words

OWN_ERROR = ProtocolError("out of range", "lower it")


def stopped(own: Mapping[str, OwnRows], how: TrainingSettings, seed: int = 0) -> ReferenceModel:
    """Train, and see that every owner stops at the range check, before which only harmless things were opened."""
    labels: dict[str, None] = {}

    def factory(name: str) -> ProgramFactory:
        return lambda p: training_job(p, None if p.dry else own[name], how)

    def tap(message: Message) -> bytes:
        labels[message.label] = None
        return message.body

    programs, seeds = {name: factory(name) for name in how.owners}, entropy(how.owners, seed)
    outcome = run_lockstep(programs, entropy=seeds, tap=tap, refusal=ProtocolError)
    for error in outcome.results.values():
        assert isinstance(error, ProtocolError)
        assert "the model stays hidden" in error.message
        assert f"{choose_fit(how).reach:g}" in error.message
        assert "sigmoid_range" in error.hint and "l2" in error.hint
    moments = ["feature means", "feature standard deviations"] if how.standardise else []
    assert [r.what for r in outcome.reveals] == [*moments, "range check"]
    assert list(labels)[-1] == "any/reveal"
    assert not [label for label in labels if label == "model" or "metric" in label or "auc" in label]
    return pooled(list(own.values()), how)


@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("n", [2, 3])
def test_scores_just_beyond_the_range(n: int, form: str) -> None:
    tables = example_tables([40] * n, 3, n, steep=20.0)
    reference = stopped(*job(tables, learning_rate=20.0, epochs=20, sigmoid_range=20.0, form=form))
    assert 21.0 < reference.largest_score < 64.0


def stopped_on_one_feature(size: float, **changes: Any) -> tuple[ReferenceModel, TrainingSettings]:
    """Rows of both signs and this size, all in one batch, and the class as their sign."""
    x = np.array([size, -size] * 8).reshape(-1, 1)
    table = x, (x[:, 0] > 0).astype(float)
    tables = {"owner0": table, "owner1": table}
    own, how = job(tables, test_fraction=0.0, standardise=False, batch_size=32, **changes)
    return stopped(own, how), how


def test_scores_that_only_ever_pass_whole_periods() -> None:
    # One step takes z from 0 to 2 P, where the periodic sigmoid looks as it does at 0: only the exact score tells.
    reference, how = stopped_on_one_feature(16.0, learning_rate=1.0, epochs=2, sigmoid_range=20.0)
    assert choose_fit(how).period == 64
    assert reference.largest_score == pytest.approx(2 * 64)


def test_scores_that_pass_the_ring_many_times_over() -> None:
    reference, _ = stopped_on_one_feature(1000.0, learning_rate=10.0, epochs=3, sigmoid_range=245.0)
    assert reference.largest_score > 1e6


def test_a_weight_beyond_its_limit_with_every_score_in_range() -> None:
    # The last feature belongs to one row, which is used in the first batch of one and never again.
    own, how = job(
        example_tables([6, 6], 1, 1),
        test_fraction=0.0,
        standardise=False,
        learning_rate=10.0,
        batch_size=1,
        epochs=1,
        sigmoid_range=245.0,
        features=2,
    )
    owners = list(own.values())
    x = np.zeros((12, 2))
    first = batches(how.seed, 1, 1, dict(zip(how.owners, how.train_rows, strict=True)))[0].index[0]
    x[:, 0] = np.linspace(-0.2, 0.2, 12)
    x[first] = [0.0, 1000.0]
    y = np.concatenate([o.y_train for o in owners])
    parts = zip(how.owners, np.split(x, 2), np.split(y, 2), strict=True)
    own = {name: OwnRows(("a", "b"), part, label, part[:0], label[:0]) for name, part, label in parts}
    reference = stopped(own, how)
    assert reference.largest_score < 240.0
    assert reference.largest_weight > WEIGHT_LIMIT


def test_the_demo_with_too_narrow_a_range() -> None:
    reference = stopped(*job(demo_tables(), sigmoid_range=20.0))
    assert reference.largest_score > 21.0


@pytest.mark.parametrize("rate", [0.5, 10.0])
def test_long_trainings_give_the_reference_or_the_error(rate: float) -> None:
    own, how = job(example_tables([20, 20], 3, 3, steep=20.0), epochs=200, batch_size=10, learning_rate=rate)
    reference = pooled(list(own.values()), how)
    assert how.step_count == 800
    try:
        model = train(own, how).results["owner0"]
    except ProtocolError:
        assert reference.largest_score > choose_fit(how).reach - 1
    else:
        assert reference.largest_score < choose_fit(how).reach
        # The fit's error is worth rate times as much, and nothing pulls large weights back.
        assert weight_difference(model, reference) < 1e-3 * max(1.0, np.abs(reference.weights).max())


@pytest.mark.soak
def test_five_thousand_steps_at_rate_ten() -> None:
    own, how = job(
        example_tables([10, 8], 2, 5, steep=9.0), epochs=2500, batch_size=8, learning_rate=10.0, metrics=False
    )
    reference = pooled(list(own.values()), how)
    assert how.step_count == 5000
    assert reference.largest_score < choose_fit(how).reach
    model = train(own, how).results["owner0"]
    assert weight_difference(model, reference) < 1e-3 * max(1.0, np.abs(reference.weights).max())


FORMS: dict[str, dict[str, Any]] = {
    "primal": {"form": "primal"},
    "dual": {"form": "dual"},
    "nesterov": {"solver": "nesterov", "iterations": 60, "momentum": 0.5, "epochs": 1},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_long_training_is_checked_chunk_by_chunk(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (range_check, dual):
        monkeypatch.setattr(module, "CHUNK", 256)
    monkeypatch.setattr(logistic, "_LATELY", 8)
    kept: list[int] = []
    add = range_check.Seen.add

    async def counted(self: range_check.Seen, weights: Sequence[Share]) -> None:
        await add(self, weights)
        kept.append(len(self.left))

    monkeypatch.setattr(range_check.Seen, "add", counted)
    changes: dict[str, Any] = {
        "epochs": 20,
        "batch_size": 8,
        "learning_rate": 0.5,
        "l2": 0.01,
        "metrics": False,
        **FORMS[form],
    }
    own, how = job(example_tables([20, 20], 3, 3), **changes)
    outcome = train(own, how)
    assert weight_difference(outcome.results["owner0"], pooled(list(own.values()), how)) < 1e-3
    words = [each.what for each in outcome.reveals if each.what == "range check"]
    assert len(words) > 3 and 0 < max(kept) * 4 <= 256


def test_a_long_training_ends_with_the_chunk_out_of_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after all its steps, and nothing but chunks' words is opened."""
    monkeypatch.setattr(range_check, "CHUNK", 256)
    monkeypatch.setattr(logistic, "_LATELY", 8)
    own, how = job(example_tables([40, 40], 3, 2, steep=20.0), learning_rate=20.0, epochs=40, sigmoid_range=20.0)
    sent: Counter[str] = Counter()

    def tap(message: Message) -> bytes:
        sent[message.label] += message.sender == "owner0"
        return message.body

    def factory(name: str) -> ProgramFactory:
        return lambda p: training_job(p, None if p.dry else own[name], how)

    outcome = run_lockstep(
        {name: factory(name) for name in how.owners}, entropy=entropy(how.owners, 1), tap=tap, refusal=ProtocolError
    )
    assert all(isinstance(error, ProtocolError) for error in outcome.results.values())
    assert {r.what for r in outcome.reveals} == {"feature means", "feature standard deviations", "range check"}
    assert 0 < sent["step/w"] < how.step_count


def check(x: np.ndarray, w: np.ndarray, steps: tuple[Rows, ...], n: int, seed: int) -> bool:
    """Whether the check lets rows x (at 14 bits) and each step's weights w (steps, d) (at 14 bits) through."""
    passed = []

    async def body(p: Party, s: list[Share]) -> tuple[Share, ...]:
        held = await hold(p, s[0])
        try:
            await check_range(p, held, steps, [s[1][t] for t in range(len(steps))], Limits(20.0, 50.0), OWN_ERROR)
        except ProtocolError:
            passed.append(False)
        else:
            passed.append(True)
        return ()

    _, outcome = on_shares(body, [(words(x), 14, Z64), (words(w), 14, Z64)], n, seed)
    assert len(set(passed[-n:])) == 1
    assert [r.what for r in outcome.reveals] == ["range check"]
    return passed[-1]


@steady(60)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(2, 5), st.integers(0, 2**32))
def test_the_check_is_exact(m: int, d: int, steps: int, n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = tuple(Rows.of(draw.integers(0, m, size=int(draw.integers(1, 4)))) for _ in range(steps))
    x = draw.integers(-(2**14), 2**14, size=(m, d)).astype(object)
    w = draw.integers(-(2**18), 2**18, size=(steps, d)).astype(object)
    if draw.random() < 0.5:  # a weight at its limit, or just beyond, for a feature that is zero in every row
        t, k = int(draw.integers(steps)), int(draw.integers(d))
        x[:, k] = 0
        w[t, k] = int(draw.choice([1, -1])) * (50 * 2**14 + int(draw.integers(2)))
    inside = all(
        abs(int(z)) <= 20 * 2**28 for t, r in enumerate(rows) for z in np.atleast_1d(x[r.index] @ w[t])
    ) and all(abs(int(v)) <= 50 * 2**14 for v in w.ravel())
    assert check(x, w, rows, n, seed % 1000) == inside


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("beyond", "passes"), [(0, True), (1, False)])
def test_the_score_s_limit_itself_is_inside(sign: int, beyond: int, passes: bool) -> None:
    x = np.array([[2**14, 1]], dtype=object)
    w = np.array([[sign * 20 * 2**14, sign * beyond]], dtype=object)
    assert check(x, w, (Rows.of(np.array([0])),), 2, 0) == passes


def test_one_bad_score_among_many_steps_is_seen() -> None:
    steps = tuple(Rows.of(np.arange(3)) for _ in range(9))
    x, w = np.full((3, 2), 2**14, dtype=object), np.full((9, 2), 9 * 2**14, dtype=object)
    assert check(x, w, steps, 2, 0)
    for t in (0, 4, 8):
        bad = w.copy()
        bad[t, 1] = 12 * 2**14
        assert not check(x, bad, steps, 2, t)


def test_chunks_cover_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_check, "CHUNK", 12)
    steps = [Rows.of(np.arange(size)) for size in (3, 3, 3, 20, 1, 1, 1, 5)]
    parts = list(range_check._chunks(steps, 2))
    assert [t for part in parts for t in part] == list(range(8))
    assert [list(part) for part in parts] == [[0, 1], [2], [3], [4, 5, 6], [7]]
