"""The dual form: its training is the reference's at two rounds a step.

The kit's four checks of it are in tests/testing; here is what they cannot express: settings of the whole training,
its choice and its bits; and that a failing range check opens nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ProtocolError, UsageError
from mpc.ring.fixed_point import encode
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, make_plan
from protocols.functions.sigmoid_fits import FITS
from protocols.linalg.held import Rows, hold
from protocols.plain.logistic import pooled, weight_difference
from protocols.rows.limits import X_LIMIT
from protocols.rows.own_rows import OwnRows
from protocols.rows.settings import TrainingSettings
from protocols.training import dual
from protocols.training.bit_budget import LOW_MARGIN, Extent, dual_budget
from protocols.training.dual import check_scores
from protocols.training.form import (
    ROUNDING,
    choose_form,
    constants_digest,
    dual_cost,
    dual_rounding,
    primal_cost,
)
from protocols.training.rows_job import training_job
from tests.examples import steady
from tests.helpers import entropy, example_tables, job, owner_names, train

# -- the descent


def test_a_weak_penalty_is_not_rounded_away() -> None:
    """rate * l2 is below one unit of the scale at which it is applied: it is carried until it makes a whole one."""
    tables = example_tables([30, 25], 40, 3)
    own, how = job(tables, form="dual", l2=2e-5, learning_rate=0.2, epochs=400, batch_size=64)
    _, without = job(tables, form="dual", l2=0.0, learning_rate=0.2, epochs=400, batch_size=64)
    rows = list(own.values())
    assert how.l2 * how.learning_rate * 2.0 ** dual_bits(how).u_shift < 3
    model = train(own, how).results["owner0"]
    effect = np.abs(pooled(rows, how).weights - pooled(rows, without).weights).max()
    assert weight_difference(model, pooled(rows, how)) < effect / 5


def dual_bits(how: TrainingSettings) -> Any:
    from protocols.training.form import descent_for

    return descent_for(how, "dual").bits


# -- the job


def check(own: Mapping[str, OwnRows], how: TrainingSettings, seed: int = 0, limit: float = 1e-4) -> None:
    """The dual form's model is the reference's; rounds, bytes and reveals are the plan's (see helpers.check_cost)."""
    assert how.form == "dual"
    outcome = train(own, how, seed)
    models = list(outcome.results.values())
    assert all(model == models[0] for model in models)
    assert weight_difference(models[0], pooled(list(own.values()), how)) < limit
    labels = [one.label for one in outcome.plan.rounds]
    assert labels.count("step/u") == labels.count("step/z") == how.step_count
    assert [one.stage for one in outcome.plan.rounds].count("training") == 2 * how.step_count


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_any_number_of_owners(n: int, seed: int) -> None:
    own, how = job(example_tables([25 + 13 * k for k in range(n)], 6, 10 * n + seed), seed, batch_size=32, form="dual")
    check(own, how, seed)


@pytest.mark.parametrize(
    ("tables", "changes"),
    [
        pytest.param(example_tables([60, 50], 4, 1), {"l2": 0.5, "sigmoid_range": 245.0}, id="strong l2, wide range"),
        pytest.param(example_tables([60, 50], 4, 3), {"batch_size": 1000}, id="batch larger than the data"),
        pytest.param(example_tables([12, 9], 3, 4), {"batch_size": 1, "epochs": 3}, id="batch of 1"),
        pytest.param(example_tables([1, 1], 1, 8), {"test_fraction": 0.0}, id="two rows"),
        pytest.param(example_tables([40, 0], 2, 10), {"batch_size": 16}, id="an owner with none"),
        pytest.param(example_tables([0, 40], 2, 10), {"batch_size": 16}, id="a first owner with none"),
        pytest.param(example_tables([20, 15, 10], 300, 15), {"learning_rate": 0.02, "l2": 0.1}, id="many features, l2"),
        pytest.param(example_tables([20, 20], 3, 3), {"epochs": 100, "batch_size": 8}, id="many steps"),
    ],
)
def test_every_setting(tables: Any, changes: dict[str, Any]) -> None:
    own, how = job(tables, **{"batch_size": 32, "form": "dual", **changes})
    # Separable rows and many steps: nothing pulls back what the sigmoid's approximation adds, in either form.
    check(own, how, limit=1e-3 if how.l2 >= 0.1 else 1e-4 if how.step_count < 300 else 5e-4)


def test_more_columns_than_the_primal_form_can_hold() -> None:
    how = sized(225, 12_634, epochs=223, batch_size=225, learning_rate=0.01)
    plan = planned(how)
    assert len(plan.rounds) == 2 + 3 + 2 * 223 + 10 + 2 + 1 + 2
    assert plan.bytes_sent["owner0"] < 18e6 and max(plan.bytes_sent.values()) < 31e6
    with pytest.raises(UsageError, match="12635 columns"):
        constants_digest(replace(how, form="primal"))


# -- the range


@pytest.mark.parametrize("at_once", [1, 7, 1000])
@pytest.mark.parametrize("bad", [None, 0, 3, 4])
def test_one_bad_score_in_any_chunk_is_seen(monkeypatch: pytest.MonkeyPatch, bad: int | None, at_once: int) -> None:
    monkeypatch.setattr(dual, "CHUNK", at_once)
    steps = tuple(Rows.of(np.array(rows)) for rows in ([0, 1], [2, 0], [1], [0, 1], [2]))
    gram = np.concatenate((np.eye(3), np.ones((3, 1))), axis=1)
    u = np.tile([9.0, -9.0, 9.0, 1.0], (5, 1))
    if bad is not None:
        u[bad, 3] = 1.01 if bad != 2 else -1.01

    async def program(p: Party) -> None:
        mine = p.name == "owner0" and not p.dry
        g = p.input("owner0", encode(gram, 14) if mine else None, gram.shape, 14)
        v = p.input("owner0", encode(u, 20) if mine else None, u.shape, 20)
        held = await hold(p, g)
        await check_scores(p, held, steps, [v[t] for t in range(5)], 10.0, ProtocolError("out of range"))

    owners = owner_names(2)
    outcome = run_lockstep(dict.fromkeys(owners, program), entropy=entropy(owners, 1), refusal=ProtocolError)
    assert [result is not None for result in outcome.results.values()] == [bad is not None] * 2


# -- the bits


@steady(300)
@given(
    st.sampled_from(FITS),
    st.floats(0, 30),
    st.sampled_from([0.0, 1e-4, 0.01, 1.0]),
    st.integers(1, 3000),
    st.integers(1, 20_000),
    st.integers(1, 2000),
    st.integers(1, 3000),
    st.booleans(),
)
def test_everything_fits_or_is_refused(
    fit: Any, rate: float, l2: float, m: int, d: int, epochs: int, batch: int, standardised: bool
) -> None:
    batch = min(batch, m)
    steps = epochs * -(-m // batch)
    smallest = min(batch, m % batch or batch)
    extent = Extent(m, d, epochs, steps, smallest, standardised)
    try:
        bits = dual_budget(fit, rate, l2, extent)
    except UsageError:
        return
    worst = fit.bound + 0.5  # |sigma - y| at any z at all
    travelled, each = worst * rate * steps, worst * rate * epochs / smallest
    norm = d * X_LIMIT**2 if not standardised else min(d * X_LIMIT**2, 1.0 * m * d)
    across = m * norm if not standardised else min(m * norm, np.sqrt(norm * m) * np.sqrt(1.0 * m * d))
    assert 2.0 ** (64 - bits.g - bits.u) == fit.period
    assert bits.waves + bits.coefficients == bits.u
    assert bits.g >= 10 and 12 <= bits.waves <= 24 and bits.coefficients >= 15
    assert norm * 2.0 ** (2 * bits.x) < 2.0**62  # G before it is cut
    assert travelled * 2.0**bits.u < 2.0**62  # every u, and the intercept
    low = bits.u - bits.u_shift
    score = min(norm * travelled, across * each) + travelled
    assert score * 2.0 ** (bits.g + low) < 2.0**62  # the scores that are checked
    assert (across + 1) * 2.0**-low <= LOW_MARGIN  # and how far they are off
    w = bits.u - bits.w_shift + bits.x
    assert bits.w_shift >= 1 and X_LIMIT * travelled * 2.0**w < 2.0**62
    assert not l2 or bits.u_shift >= 15


@pytest.mark.parametrize(
    ("rate", "l2", "extent", "hint"),
    [
        (0.5, 0.0, Extent(100, 30, 10, 10, 100, False), "standardise"),
        (1e6, 0.0, Extent(100, 30, 1000, 1000, 100, True), "learning_rate"),
        (10.0, 1.0, Extent(100, 30, 10, 10, 100, True), "lower either"),
        (0.5, 0.0, Extent(3000, 20_000, 10, 10, 100, True), "learning_rate"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(rate: float, l2: float, extent: Extent, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        dual_budget(FITS[1], rate, l2, extent)
    assert hint in caught.value.hint


# -- the choice


def planned(how: TrainingSettings) -> Plan:
    return make_plan(lambda p: training_job(p, None, how), how.owners, "helper", constants_digest(how))


def sized(rows: int, features: int, **changes: Any) -> TrainingSettings:
    _, how = job(example_tables([2, 2], 1, 1), **changes)
    return replace(how, train_rows=(rows - rows // 2, rows // 2), test_rows=(0, 0), features=features)


@pytest.mark.parametrize(
    ("how", "form"),
    [
        (sized(225, 12_634, epochs=223, batch_size=225, learning_rate=0.01), "dual"),
        (sized(100, 1000, batch_size=50), "dual"),
        (sized(455, 30), "primal"),
        (sized(455, 30, round_bytes=1_250_000), "dual"),  # 10 ms at 1 Gbit/s
        (sized(455, 30, epochs=250, round_bytes=12), "primal"),  # 0.1 ms at 1 Mbit/s: bytes are what costs
        (sized(10_000, 100, epochs=1, round_bytes=1_250_000), "primal"),  # G would be 800 MB
        (sized(455, 30, epochs=250), "dual"),
        (sized(455, 30, epochs=250, standardise=False), "primal"),
        (sized(20_000, 30), "primal"),
        (sized(1_000_000, 20, epochs=1, batch_size=10_000), "primal"),
    ],
)
def test_the_cheaper_form_is_chosen(how: TrainingSettings, form: str) -> None:
    assert choose_form(how) == form


@pytest.mark.parametrize("how", [sized(60, 10), sized(60, 200), sized(300, 5, epochs=40, batch_size=50)])
def test_the_choice_is_the_plans(how: TrainingSettings) -> None:
    """`choose_form` follows from sizes what the plans of both forms say."""
    from protocols.training.form import dual_cost, primal_cost

    plans = [planned(replace(how, form=form)) for form in ("primal", "dual")]
    words_of = [sum(one.payload for one in plan.rounds) + sum(plan.windows) for plan in plans]
    cost = [size + how.round_bytes * len(plan.rounds) for size, plan in zip(words_of, plans, strict=True)]
    formulas = [primal_cost(how), dual_cost(how)]
    assert cost[1] - cost[0] == pytest.approx(formulas[1] - formulas[0], rel=0.1, abs=0.01 * cost[0])
    assert choose_form(how) == ("dual" if cost[1] < cost[0] else "primal")


def test_the_plan_and_the_digest_tell_the_forms_apart() -> None:
    how = sized(60, 10)
    digests = {form: (planned(one).digest, constants_digest(one)) for form, one in forms(how).items()}
    assert digests["primal"][0] != digests["dual"][0] and digests["primal"][1] != digests["dual"][1]
    assert digests["auto"] == digests[choose_form(how)]


def forms(how: TrainingSettings) -> dict[str, TrainingSettings]:
    return {form: replace(how, form=form) for form in ("auto", "primal", "dual")}


def test_a_training_that_goes_far_is_primal_whatever_it_costs() -> None:
    """Over so many steps the rounding of G would show in the third digit of the weights."""
    near = sized(100, 3, epochs=10, batch_size=16, learning_rate=0.5)
    far = replace(near, epochs=1667)
    assert dual_cost(far) < primal_cost(far)
    assert choose_form(near) == "dual"
    assert choose_form(far) == "primal"
    assert choose_form(replace(far, form="dual")) == "dual"
    assert dual_rounding(near) < ROUNDING < dual_rounding(far)
