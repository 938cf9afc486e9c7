"""A secure sum with [privacy]: what is refused, what a client adds, how noisy sums are, and what they cost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import BudgetError, DataError, TooFewError, UsageError
from mpc.star.client import StarClient
from parties.show.blocks import Grid, Line
from parties.tasks.registry import request_of
from parties.tasks.secure_sum.ends.clients import clients_of
from parties.tasks.secure_sum.ends.data import numbers_of
from parties.tasks.secure_sum.private import (
    errors_of,
    noisy_columns,
    noisy_vector,
    own_vector,
    planned_charge,
    privacy_facts,
    signs,
)
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.secure_sum.show.plan import plan_blocks, sum_plan
from parties.tasks.secure_sum.show.summary import sums_blocks
from parties.tasks.star.base import Membership
from parties.trust.budget import Charge
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import new_session
from protocols.aggregation import messages as m
from protocols.privacy.accounting import epsilon_of
from protocols.privacy.distributed import decoded, squared_bound
from tests.parties.tasks.secure_sum.test_server import run
from tests.parties.tasks.secure_sum.test_settings import loaded
from tests.parties.tasks.star.runs import late
from tests.run.sums import expected

RULES = 'out_of_range = "clip"\nmissing = "skip"\n'
PRIVACY = "[privacy]\nepsilon = 20.0\ndelta = 1e-4\n"
LESS = ("dropout = 0.2", "dropout = 0.1")
LOG = logging.getLogger("test_private_sum")


def private(folder: Path, task: str = "", privacy: str = PRIVACY, *changes: tuple[str, str]) -> SumScenario:
    return loaded(folder, *changes, task=f"{RULES}{task}\n{privacy}")


def made_up(folder: Path, clients: int = 40, rows: int = 3, task: str = "", privacy: str = PRIVACY) -> SumScenario:
    """Of more clients than there are data of."""
    changes = (("count = 9", f"count = {clients - 3}"), ("most_rows = 50", f"most_rows = {rows}"))
    return private(folder, task, privacy, *changes)


@pytest.mark.parametrize(
    ("task", "privacy", "message"),
    [
        ('missing = "skip"', PRIVACY, 'out_of_range = "refuse" tells'),
        ('out_of_range = "clip"', PRIVACY, 'missing = "refuse" tells'),
        (f"{RULES}min_cell = 5", PRIVACY, "min_cell tests exact counts"),
        (f'{RULES}weight = "w"\nlargest_weight = 3', PRIVACY, "weight does not go with"),
        (RULES, PRIVACY + "[privacy.clip]\ndose = [0, 1]", "lists 'dose', which is not in `columns`"),
        (RULES, PRIVACY + "[privacy.clip]\nage = [3, 3]", "empty range"),
        (RULES, PRIVACY + 'unit = "patient"', 'unit .*"client"'),
        (f"{RULES}min_cohort = 3\ncorrupt = 0.25", PRIVACY, "raise min_cohort, or lower corrupt"),
    ],
)
def test_what_does_not_go_with_privacy(tmp_path: Path, task: str, privacy: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        loaded(tmp_path, task=f"{task}\n{privacy}")


def test_a_helper_does_not_go_with_privacy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"judge\] is a helper, which tests exact counts"):
        private(tmp_path, "", PRIVACY, ("[clients]", '[parties.judge]\nrole = "helper"\n[clients]'))


def test_privacy_is_agreed_on_and_asked_for_by_policies(tmp_path: Path) -> None:
    one = private(tmp_path)
    assert one.digest != private(tmp_path, "", PRIVACY.replace("20", "19")).digest
    assert one.digest != private(tmp_path, "", PRIVACY + "[privacy.clip]\nage = [0, 100]").digest
    assert one.digest != loaded(tmp_path, task=RULES).digest
    assert request_of(one).epsilon == 20.0 and request_of(loaded(tmp_path)).epsilon is None
    assert "largest_epsilon" in one.small_counts(5)[0]


def test_noise_is_that_of_the_fewest_who_do_not_lie(tmp_path: Path) -> None:
    one = private(tmp_path, "corrupt = 0.2")
    assert (one.min_cohort, one.bounds.corrupt) == (7, 2)
    assert one.noise.fewest == 5 and one.noise.clients == 12
    facts = [privacy_facts(one, [survivors]) for survivors in (7, 8, 12)]
    spent = [0.0 if found is None else found["spent"] for found in facts]
    assert spent[0] > spent[1] > spent[2] > 0 and spent[0] == sum_plan(one)["privacy"]["planned"]
    assert private(tmp_path, "corrupt = 0.0").noise.fewest == 6  # each client knows its own
    lying = private(tmp_path, 'server = "malicious"\ncorrupt = 0.0', PRIVACY, LESS)
    assert lying.noise.fewest <= lying.bounds.smallest_group


def test_all_rounds_together_cost_what_epsilon_allows(tmp_path: Path) -> None:
    one = private(tmp_path)
    charge = planned_charge(one)
    assert charge is not None and charge.unit == "client" and charge.epsilon == 20.0
    assert 19.9 < epsilon_of(charge.mechanisms, 1e-4) <= 20.0
    facts = sum_plan(one)["privacy"]
    assert 19.9 < facts["planned"] <= 20.0
    assert facts["releases"][0]["numbers"] == 4 and facts["releases"][0]["share"] == 1.0
    text = " ".join(block.text if isinstance(block, Line) else str(vars(block)) for block in plan_blocks(one))
    assert "count of age" in text and "Told exactly" in text and "mpc budget" in text


CELLS = st.one_of(st.floats(-1e12, 1e12), st.just(np.nan), st.sampled_from([-10.0, 120.0, 55.0]))


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=50), kinds=st.sampled_from(["count", "sum", "mean"]))
def test_a_client_moves_the_vector_within_its_norm(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float]], kinds: str
) -> None:
    """Whatever its rows are; without data its vector is 0."""
    one = private(tmp_path_factory.mktemp("one"), f'statistics = ["{kinds}"]')
    vector, _ = own_vector(one, "c1", np.array(rows, dtype=float).reshape(-1, 2))
    how = one.noise
    assert np.abs(vector).max() <= 1 and np.linalg.norm(vector) <= how.norm == sqrt(len(one.entries))
    assert how.squared_norm == squared_bound(how.units, how.length)
    assert rows or not vector.any()


def test_a_range_narrower_than_its_digits_keeps_the_norm(tmp_path: Path) -> None:
    """Its middle is rounded to an end of it, so that the other one is twice as far."""
    one = private(tmp_path, "", PRIVACY + "[privacy.clip]\nage = [1e11, 100000000000.00002]\n")
    vector, _ = own_vector(one, "c1", np.full((50, 2), 1e12))
    assert noisy_vector(one, vector, 1).size == 4


def test_more_rows_than_agreed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="51 rows, and 50"):
        numbers_of(private(tmp_path), "c1", np.ones((51, 2)))


def test_each_column_is_clipped_to_its_own_range(tmp_path: Path) -> None:
    one = private(tmp_path, "", PRIVACY + "[privacy.clip]\nstay = [0, 2]\n")
    vector, clipped = own_vector(one, "c1", np.array([[55.0, 1.0], [500.0, 9.0], [np.nan, -1.0]]))
    assert clipped == 3
    assert vector * 50 == pytest.approx([2, 0 + 1, 3, 0 + 1 - 1])


def part_of(client: StarClient) -> Any:
    return client._facts.make.__self__  # type: ignore[attr-defined]


@pytest.mark.parametrize("server", ["semi-honest", "malicious"])
def test_a_sum_is_that_of_all_but_for_the_noise(tmp_path: Path, server: str) -> None:
    """It is what the clients' own vectors add up to, and near what their rows do."""
    one = private(tmp_path, f'server = "{server}"\ncorrupt = 0.0', PRIVACY, LESS)
    served, clients, _ = run(one, tmp_path)
    result = served()
    sums, facts = result["sums"], result["privacy"]
    vectors = [part_of(client)._noisy._latest[1] for client in clients]
    total = np.add.reduce(vectors) & np.uint64((1 << one.noise.bits) - 1)
    assert sums["columns"] == noisy_columns(one, total, 12, 1)
    off = 2.5 * errors_of(one)["age", "sum"]
    assert 0 < abs(sums["columns"]["age"]["sum"] - expected()["age"]["sum"]) < off
    assert (facts["spent"] < facts["planned"]) == (server == "semi-honest")  # all took part: more noise
    party = result["party"]
    if server == "semi-honest":
        assert (party["bytes_sent"], party["bytes_received"]) == tuple(result["plan"]["bytes"].values())
    (grid, *_) = [block for block in sums_blocks({"sums": sums}) if isinstance(block, Grid)]
    assert (grid.rows[0][0], grid.rows[2][0], len(grid.rows[0])) == ("count of age", "mean of age", 4)


def test_noise_is_drawn_once_for_all_attempts(tmp_path: Path) -> None:
    """Two sums of other noise would have a mean with less of it."""
    one = private(tmp_path, "attempts = 2")
    charged: list[str] = []
    drawn: list[bytes] = []

    def watched(clients: list[StarClient]) -> Any:
        for client in clients:
            part = part_of(client)
            part._member = replace(part._member, charge=lambda session, name, rows, cost: charged.append(name))
            part._with_noise = kept(part._with_noise)
        return late(set(range(6)), m.MASKED, attempts=1)(clients)

    def kept(with_noise: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*of: Any) -> Any:
            drawn.append(with_noise(*of).tobytes())
            return with_noise(*of)

        return noted

    served, *_ = run(one, tmp_path, watched)
    assert served()["sums"]["attempt"] == 2
    assert charged == ["1"] * 12
    assert len(drawn) == 24 and len(set(drawn)) == 12


def test_a_client_that_lost_its_noise_leaves_the_round(tmp_path: Path) -> None:
    one = private(tmp_path)
    session = new_session(1)
    for lost in (False, True):
        journal = RoundJournal(tmp_path / "c1.rounds", sync=False)
        client = clients_of(one, {"c1": Membership(journal)}, LOG)["c1"]
        part = part_of(client)
        if not lost:
            assert part._with_noise(session, 1) is part._with_noise(session, 1)
            continue
        with pytest.raises(TooFewError, match="the noise for 'round 1' was drawn"):
            part._with_noise(session, 1)


def test_a_client_over_budget_sends_no_vector(tmp_path: Path) -> None:
    one = private(tmp_path)
    costs: list[Charge] = []

    def refuse(session: bytes, name: str, rows: object, cost: Charge) -> None:
        costs.append(cost)
        raise BudgetError("spent", "", party="c2")

    def over(clients: list[StarClient]) -> Any:
        part = part_of(clients[1])
        part._member = replace(part._member, charge=refuse)
        return late(set(), m.MASKED, attempts=1)(clients)

    served, clients, _ = run(one, tmp_path, over)
    sums = served()["sums"]
    assert (sums["clients"], sums["left_out"]) == (11, ["c2"])
    assert isinstance(clients[1].failure, BudgetError) and clients[1].counts.sent == 0
    charge = planned_charge(one)
    assert charge is not None and costs[0].mechanisms == charge.mechanisms and costs[0].unit == "client"
    assert 19.9 < costs[0].epsilon <= 20.0


def test_noise_of_a_sum_is_as_planned(tmp_path: Path) -> None:
    """Of 160 numbers: half of the variance would show."""
    one = made_up(tmp_path, clients=12)
    how = one.noise
    errors = []
    for number in range(1, 41):
        total = np.zeros(how.length, dtype=np.uint64)
        for _ in range(one.count):
            total += noisy_vector(one, np.zeros(how.size), number)
        errors.append(decoded(total & np.uint64((1 << how.bits) - 1), how, signs(one, number)))
    assert 0.85 < np.std(errors) / how.deviation(one.count) < 1.15


def held(one: SumScenario, sums: int) -> float:
    """How often intervals have what the clipped rows give, over all columns and numbers of so many sums."""
    rng, found = np.random.default_rng(3), []
    modulus = np.uint64((1 << one.noise.bits) - 1)
    for number in range(1, sums + 1):
        total, rows = np.zeros(one.noise.length, dtype=np.uint64), []
        for _ in range(one.count):
            own = rng.normal([40.0, 3.0], [30.0, 5.0], size=(rng.integers(0, one.task.most_rows + 1), 2))
            total += noisy_vector(one, own_vector(one, "c", own)[0], number)
            rows.append(np.clip(own, -10, 120))
        all_of_them = np.concatenate(rows)
        exact = {"count": len(all_of_them), "sum": all_of_them.sum(axis=0), "mean": all_of_them.mean(axis=0)}
        for place, facts in enumerate(noisy_columns(one, total & modulus, one.count, number).values()):
            for kind, (low, high) in facts["intervals"].items():
                value = float(np.broadcast_to(exact[kind], 2)[place])
                found.append(low is not None and low <= value <= high)
    return float(np.mean(found))


def test_intervals_hold_what_the_clients_rows_give(tmp_path: Path) -> None:
    one = made_up(tmp_path, clients=15)
    assert 0.86 < held(one, 60) <= 1.0


@pytest.mark.sweep
def test_intervals_hold_in_95_of_100_sums(tmp_path: Path) -> None:
    one = made_up(tmp_path, clients=40)
    share = held(one, 2000)
    assert 0.94 <= share <= 0.97, share
