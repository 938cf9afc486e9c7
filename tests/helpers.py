"""Protocols run in one thread, with what tests need around them: shares in, values out, the demo's rows."""

from __future__ import annotations

import csv
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mpc.randomness.streams import insecure_entropy
from mpc.ring.rings import Z64, Ring
from mpc.runtime.lockstep import Message, Outcome, Tap, run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from mpc.sharing.share import Public, Share
from protocols.evaluation.metrics import MOST_DOUBT
from protocols.rows.own_rows import OwnRows
from protocols.rows.settings import TrainingSettings
from protocols.training.batches import split
from protocols.training.rows_job import training_job

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "scenarios" / "data"

Body = Callable[[Party, list[Share]], Awaitable[Any]]


FEW = "min_rows = 1\nmin_rows_per_feature = 0\n"
"""For [task] of a model: what lets tables of a few rows through, as every policy would have to allow."""


def owner_names(n: int) -> tuple[str, ...]:
    return tuple(f"owner{k}" for k in range(n))


def entropy(owners: Sequence[str], seed: int) -> dict[str, Any]:
    return {name: insecure_entropy(seed, name) for name in (*owners, "helper")}


def lockstep(factories: Mapping[str, ProgramFactory], seed: int = 0, tap: Tap | None = None) -> Outcome:
    """A run with reproducible seeds, checked against its plan: rounds, labels, payload bytes and reveals."""
    messages: list[Message] = []

    def watch(message: Message) -> bytes | None:
        messages.append(message)
        return tap(message) if tap else message.body

    outcome = run_lockstep(factories, entropy=entropy(tuple(factories), seed), tap=watch)
    check_cost(outcome, messages)
    return outcome


def check_cost(outcome: Outcome, messages: Sequence[Message]) -> None:
    """What was measured is what was planned, for every party and message."""
    plan = outcome.plan
    assert outcome.rounds == dict.fromkeys(plan.owners, len(plan.rounds))
    each = sum(one.payload for one in plan.rounds) * (len(plan.owners) - 1)
    assert outcome.payload_bytes == {**dict.fromkeys(plan.owners, each), plan.helper: sum(plan.windows)}
    for name in plan.owners:
        sent = [(m.label, len(m.body)) for m in messages if m.sender == name]
        assert sent == [(one.label, one.payload) for one in plan.rounds for _ in range(len(plan.owners) - 1)]
    assert [len(m.body) for m in messages if m.sender == plan.helper] == list(plan.windows)
    assert not [m for m in messages if m.receiver == plan.helper]
    assert outcome.reveals == plan.reveals


def on_shares(
    body: Body, inputs: Sequence[tuple[np.ndarray, int, Ring]], n: int = 2, seed: int = 0, tap: Tap | None = None
) -> tuple[list[np.ndarray], Outcome]:
    """Share ring elements (value, scale, ring), run `body` on them, and add up what it gives, outside any protocol.

    Each input comes from another owner in turn. `body` gives a share or several; their sums are returned.
    """
    owners = owner_names(n)

    def factory(p: Party) -> Any:
        async def program() -> Any:
            shares = []
            for k, (value, scale, ring) in enumerate(inputs):
                giver = owners[k % n]
                own = ring.reduce(value) if giver == p.name and not p.dry else None
                shares.append(p.input(giver, own, np.shape(value), scale, ring))
            given = await body(p, shares)
            return given if isinstance(given, tuple) else (given,)

        return program()

    outcome = lockstep(dict.fromkeys(owners, factory), seed, tap)
    return [
        total([outcome.results[name][k] for name in owners]) for k in range(len(outcome.results["owner0"]))
    ], outcome


def total(shares: Sequence[Share | Public]) -> np.ndarray:
    """The value that shares hold together; of a public value, the one that all hold."""
    first = shares[0]
    if isinstance(first, Public):
        assert all((s.value == first.value).all() for s in shares)
        return first.value
    assert len({(s.scale, s.ring, s.shape) for s in shares}) == 1
    value = first.value
    for share in shares[1:]:
        value = first.ring.add(value, share.value)
    return value


def signed(words: np.ndarray, ring: Ring = Z64) -> np.ndarray:
    """Ring elements as Python integers around zero, so that tests reckon without a ring."""
    return np.array([int(v) for v in np.ravel(ring.centred(words))], dtype=object).reshape(words.shape)


def words(numbers: Any) -> np.ndarray:
    """Integers of any size and sign as elements of Z_2^64."""
    numbers = np.asarray(numbers, dtype=object)
    return np.array([int(v) % (1 << 64) for v in numbers.ravel()], dtype=np.uint64).reshape(numbers.shape)


@lru_cache
def demo_tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The two hospitals' features and labels."""
    tables = {}
    for name in ("hospital_a", "hospital_b"):
        with open(DEMO / f"{name}.csv", newline="") as file:
            rows = list(csv.reader(file))[1:]
        tables[name] = (
            np.array([[float(v) for v in row[1:-1]] for row in rows]),
            np.array([float(row[-1]) for row in rows]),
        )
    return tables


def example_tables(
    rows: Sequence[int], features: int, seed: int, *, steep: float = 1.0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Owners' rows whose labels follow a logistic model; of different sizes and means, as real owners' are."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=features) * steep
    tables = {}
    for k, count in enumerate(rows):
        x = draw.normal(loc=0.3 * k, size=(count, features)) * np.exp(draw.normal(size=features)) + 1.0
        y = (draw.uniform(size=count) < 1 / (1 + np.exp(-np.clip((x - 1.0) @ truth, -500, 500)))).astype(float)
        tables[f"owner{k}"] = (x, y)
    return tables


def job(
    tables: Mapping[str, tuple[np.ndarray, np.ndarray]], seed: int = 7, test_fraction: float = 0.2, **changes: Any
) -> tuple[dict[str, OwnRows], TrainingSettings]:
    """Each owner's split rows, and the settings of a training on them."""
    own = {}
    for owner, (x, y) in tables.items():
        train, test = split(seed, owner, len(y), test_fraction)
        names = tuple(f"x{k}" for k in range(x.shape[1]))
        own[owner] = OwnRows(names, x[train], y[train], x[test], y[test])
    given: dict[str, Any] = {
        "owners": tuple(tables),
        "helper": "helper",
        "train_rows": tuple(len(o.y_train) for o in own.values()),
        "test_rows": tuple(len(o.y_test) for o in own.values()),
        "features": next(iter(tables.values()))[0].shape[1],
        "seed": seed,
        "epochs": 10,
        "batch_size": 128,
        "learning_rate": 0.5,
        "l2": 0.0,
        "sigmoid_range": None,
        "standardise": True,
        "metrics": True,
    }
    return own, TrainingSettings(**{**given, **changes})


def train(own: Mapping[str, OwnRows], how: TrainingSettings, seed: int = 0, tap: Tap | None = None) -> Outcome:
    """The training job of all owners."""

    def factory(name: str) -> ProgramFactory:
        return lambda p: training_job(p, None if p.dry else own[name], how)

    return lockstep({name: factory(name) for name in how.owners}, seed, tap)


def assert_metrics(metrics: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """They are the plaintext reference's of each set, row for row and to within 0.005."""
    assert list(metrics) == list(wanted)
    for name, expected in wanted.items():
        got = metrics[name]
        assert got.keys() == expected.keys()
        assert (got["rows"], got["positives"]) == (expected["rows"], expected["positives"])
        assert abs(got["accuracy"] - expected["accuracy"]) * expected["rows"] <= 1.0 + 1e-9
        pairs = max(1, expected["positives"] * (expected["rows"] - expected["positives"]))
        # Beside the histogram's 0.005, of few rows two pairs in one bin, each of which counts half.
        for key, slack in (("auc", 0.005 + 1 / pairs), ("log_loss", 0.002), ("brier", 0.001)):
            in_doubt = key == "auc" and got["auc_error"] is not None and got["auc_error"] > MOST_DOUBT
            assert (got[key] is None) == (expected[key] is None or in_doubt)
            assert got[key] is None or abs(got[key] - expected[key]) <= slack, (name, key)


def cpu_features() -> list[str]:
    """The features of this processor that this numpy uses where it finds them, and can be told to do without."""
    facts: Any = np.show_config(mode="dicts")
    return list(facts["SIMD Extensions"].get("found", []))
