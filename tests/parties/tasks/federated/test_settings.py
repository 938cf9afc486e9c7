"""What a scenario of federated learning may say, what follows from it, and what policies and approvals are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc.errors import DataError, UsageError
from parties.tasks.federated.clients.data import own_rows
from parties.tasks.federated.clients.faults import draw_of
from parties.tasks.federated.costs import client_cost
from parties.tasks.federated.figures import withheld
from parties.tasks.federated.leaks import intermediate
from parties.tasks.federated.show.plan import federated_plan
from parties.tasks.registry import request_of
from protocols.federated.programs import MODEL
from tests.parties.tasks.federated.runs import rows, scenario
from tests.parties.tasks.star.runs import study


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("hidden = [4]", 'hidden is for model = "mlp" alone'),
        ('model = "mlp"', 'hidden is for model = "mlp" alone'),
        ('model = "poisson"\ntarget_range = [0, 5]', 'model = "poisson" is for method = "newton" alone'),
        ('model = "multinomial"\nmethod = "newton"\nclasses = 3', 'method = "newton" is not for model = "multinomial"'),
        ('method = "newton"\ncohort = 5', "asks all clients"),
        ('model = "linear"', "a target that is a number needs its range"),
        ("target_range = [0, 1]", "target_range is for a target that is a number"),
        ("cohort = 9", "cohort is 9, and there are 8 clients"),
        ("min_cohort = 7\ncohort = 6", "min_cohort is 7, and 6 clients are asked"),
        ("validation_fraction = 0.0\nearly_stop = 2", "early_stop goes by held-out rows"),
        ('method = "newton"\npersonal = ["ditto"]', "personal models are judged by held-out rows"),
        ("least_rows = 61", "least_rows is more than most_rows"),
        ('model = "logistic"\nclasses = 3', "a logistic model needs two classes"),
        ("cohort = 2", "2 clients are too few to hide in a sum"),
        (f'model = "mlp"\nhidden = [{"4096, " * 100_000}]', " weights, and 100,000,000 are the most"),
        ("precision = 1e-10", "must be a number from 2^-30 to 0.1"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, task: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        scenario(tmp_path, task)
    assert says in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        (0, np.nan, "column 'age' has empty cells"),
        (1, np.inf, "column 'dose' has an infinite value"),
        (3, 2.0, "column 'y' has other values than the classes 0 to 1"),
        (3, 0.5, "column 'y' has other values than the classes 0 to 1"),
    ],
)
def test_rows_that_do_not_fit_are_told_to_their_client(tmp_path: Path, column: int, value: float, says: str) -> None:
    one, values = scenario(tmp_path), rows(8)["client_1"]
    values[3, column] = value
    with pytest.raises(DataError, match=says):
        own_rows(one, "client_1", values)


def test_rows_are_dropped_clipped_and_held_out_as_agreed(tmp_path: Path) -> None:
    one, values = scenario(tmp_path, 'missing = "drop"\nvalidation_fraction = 0.25'), rows(8)["client_1"][:25]
    values[3, 0], values[4, 1] = np.nan, 99.0
    found = own_rows(one, "client_1", values)
    assert (len(found), found.dropped, found.clipped) == (24, 1, 1)
    assert (len(found.train.y), len(found.held.y)) == (18, 6)
    assert max(found.train.x.max(), found.held.x.max()) == 4.0
    again, other = own_rows(one, "client_1", values), own_rows(one, "client_2", values)
    assert np.array_equal(found.held.x, again.held.x)
    assert not np.array_equal(found.held.x, other.held.x)


def test_too_many_rows_and_too_few_take_no_part(tmp_path: Path) -> None:
    one = scenario(tmp_path, "least_rows = 20")
    with pytest.raises(DataError, match="61 rows, and 60 are the most"):
        own_rows(one, "client_1", np.zeros((61, 4)))
    with pytest.raises(DataError, match="16 rows to train on, and 20 are the least"):
        own_rows(one, "client_1", np.zeros((20, 4)))


def test_small_counts_are_withheld_and_cannot_be_worked_out() -> None:
    assert withheld([0, 7, 0, 6], 5) == [0, 7, 0, 6]
    for counts in ([0, 7, 2, 6], [1, 30], [4, 0, 0, 0, 9, 20, 0, 0, 0], [3, 3, 3, 3]):
        shown = withheld(counts, 5)
        hidden = [count for count, one in zip(counts, shown, strict=True) if one is None]
        assert all(not 0 < count < 5 for count in shown if count is not None)
        assert len(hidden) != 1  # whose size the total would tell
        assert sum(hidden) == 0 or sum(hidden) >= 5


def test_policies_are_told_what_is_revealed(tmp_path: Path) -> None:
    one = request_of(scenario(tmp_path, 'standardise = true\npersonal = ["ditto"]\nmin_cell = 4'))
    assert [names[0] for names in one.reveals] == ["model", "standardisation", "metrics", "gains"]
    assert len(one.small_counts(5)) == 3
    assert (one.owners, one.plain) == (5, False)
    quiet = request_of(scenario(tmp_path, "validation_fraction = 0.0"))
    assert [names[0] for names in quiet.reveals] == ["model"]
    assert list(quiet.small_counts(5)) == []
    plain = request_of(scenario(tmp_path, 'aggregation = "plain"'))
    assert plain.plain
    assert ("updates",) in plain.reveals


def test_the_agreement_has_the_seed(tmp_path: Path) -> None:
    """For it draws the cohorts: a server could choose them by a seed of its own."""
    one = scenario(tmp_path)
    assert one.digest != one.model_copy(update={"seed": 8}).digest


def test_who_leaves_and_who_is_late_is_drawn_anew(tmp_path: Path) -> None:
    one = scenario(tmp_path, "cohort = 20", "[faults.clients]\nvanish = 0.1\nstraggle = 0.2", count=40)
    draw, again = draw_of(one), draw_of(one)
    drawn = {}
    for t in (1, 2, 3):
        asked = one.members("train", t)
        drawn[t] = draw(asked, t, 1)
        assert drawn[t] == again(asked, t, 1)
        assert set(drawn[t]) <= set(asked)
        assert sorted(fault.kind for fault in drawn[t].values()) == ["delay"] * 4 + ["leave"] * 2
    assert len({frozenset(one) for one in drawn.values()}) == 3
    stages = {fault.stage for found in drawn.values() for fault in found.values()}
    assert MODEL in stages
    assert draw_of(scenario(tmp_path))((1, 2), 1, 1) == {}


def test_costs_grow_with_the_model_and_the_rows(tmp_path: Path) -> None:
    small = scenario(tmp_path, 'model = "mlp"\nhidden = [4]')
    large = scenario(tmp_path, 'model = "mlp"\nhidden = [400]')
    one, other = (client_cost(each, each.round_without_model("train", 1)) for each in (small, large))
    assert other.up - one.up == (large.round_without_model("train", 1).settings.vector_bytes) - (
        small.round_without_model("train", 1).settings.vector_bytes
    )
    assert other.down - one.down == 4 * (large.size - small.size)
    assert other.seconds > one.seconds
    assert other.memory > one.memory
    fewer = client_cost(large, large.round_without_model("train", 1), rows=10)
    assert fewer.seconds < other.seconds
    assert fewer.memory < other.memory


def test_a_client_that_takes_too_much_leaves_the_round(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 1\nmost_seconds = 50.0\nmost_memory_mb = 50.0")
    found = study(one, tmp_path)
    found.clients[2].part._scenario = one.model_copy(
        update={"task": one.task.model_copy(update={"most_seconds": 1e-9})}
    )
    result = found.served()["federated"]
    assert [each["clients"] for each in result["rounds"]] == [7, 7]
    assert "most_seconds is 1e-09" in found.clients[2].fell_short.message
    assert found.clients[0].part.spent.memory > 1000  # it was measured, for there is a limit


def test_advice_follows_from_the_settings(tmp_path: Path) -> None:
    few = intermediate(scenario(tmp_path, "batch_size = 0"))
    assert (few.fewest, few.beside, few.steps, few.gradients) == (5, 4, 1, True)
    assert [text.split(" (")[0] for text in few.advice[:2]] == [
        "let more clients take part, and open nothing for few",
        "train longer in a round",
    ]
    many = intermediate(scenario(tmp_path, 'epochs = 20\nserver = "malicious"\ncohort = 60', count=100))
    assert not many.gradients
    assert many.advice == ()
    assert many.rounds == 12.0
    plain = intermediate(scenario(tmp_path, 'aggregation = "plain"'))
    assert plain.advice[0].startswith('set aggregation = "secure"')


def test_the_planned_error_is_within_the_precision(tmp_path: Path) -> None:
    for task in ("precision = 0.01", "clip = 0.5", "least_rows = 6", 'weights = "equal"'):
        update = federated_plan(scenario(tmp_path, task))["update"]
        assert 0.4 * update["allowed"] < update["error"] <= update["allowed"]
