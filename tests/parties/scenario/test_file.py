"""Scenario files: what a good one becomes, and what is said about a bad one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mpc.errors import UsageError
from parties.scenario.file import Scenario, SqlSource, differences, split_address
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.logistic.settings.solver import MOST_UNEQUAL
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.registry import load_scenario
from protocols.training import class_weights
from protocols.training.accelerated_budget import dyadic
from protocols.training.form import automatic_rate

GOOD = """\
schema = 1
name = "two-hospitals"
seed = 7

[parties.hospital_a]
role = "owner"
data = "data/a.csv"
[parties.hospital_b]
role = "owner"
data = { database = "x.duckdb", sql = "select * from p" }
[parties.helper]
role = "helper"

[task]
kind = "logistic_regression"
partition = "horizontal"
target = "malignant"
id = "patient"
features = ["age", "size"]
standardise = true
test_fraction = 0.25
solver = "sgd"
epochs = 3
batch_size = 64
learning_rate = 1
sigmoid_range = "auto"
l2 = 0
reveal = ["metrics", "model"]
reveal_to = ["hospital_b", "hospital_a"]

[network]
latency_ms = 10.0
bandwidth_mbit = 100.0
"""

LEAST = """\
schema = 1
name = "least"
[parties.a]
role = "owner"
[parties.b]
role = "owner"
[parties.h]
role = "helper"
[task]
kind = "logistic_regression"
target = "y"
"""


def load(tmp_path: Path, text: str | bytes) -> Scenario:
    path = tmp_path / "s.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return load_scenario(path)


def changed(*changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert old in text, f"the test's own scenario has no {old!r}"
        text = text.replace(old, new)
    return text


def test_a_full_scenario(tmp_path: Path) -> None:
    scenario = load(tmp_path, GOOD)
    assert (scenario.name, scenario.seed) == ("two-hospitals", 7)
    assert scenario.owners == ("hospital_a", "hospital_b")
    assert scenario.helper == "helper"
    assert list(scenario.parties) == ["hospital_a", "hospital_b", "helper"]
    assert scenario.task_as(LogisticTask).features == ("age", "size")
    assert scenario.task_as(LogisticTask).learning_rate == 1.0 and isinstance(
        scenario.task_as(LogisticTask).learning_rate, float
    )
    assert scenario.task_as(LogisticTask).reveal == ("model", "metrics")
    assert scenario.task_as(LogisticTask).reveal_to == ("hospital_a", "hospital_b")
    assert scenario.data_source("hospital_a") == "data/a.csv"
    assert scenario.data_source("hospital_b") == SqlSource(database="x.duckdb", sql="select * from p")
    assert scenario.network is not None and scenario.network.bandwidth_mbit == 100.0


def test_a_solver_may_be_left_to_the_plan(tmp_path: Path) -> None:
    assert (
        load(tmp_path, FULL_BATCH.replace('solver = "sgd"', 'solver = "auto"')).task_as(LogisticTask).learning_rate
        == "auto"
    )


def test_how_data_are_written(tmp_path: Path) -> None:
    text = changed(
        ('data = "data/a.csv"', 'data = "data/A.CSV"\nencoding = "latin-1"\ndecimal = ","\nthousands = "."'),
        ("epochs = 3", 'missing = "drop"\ndates = "days"\npositive = 2\ncategories.size = [" S ", 2, "L"]'),
    )
    scenario = load(tmp_path, text)
    a, task = scenario.parties["hospital_a"], scenario.task_as(LogisticTask)
    assert (a.encoding, a.decimal, a.thousands) == ("latin-1", ",", ".")
    assert (task.missing, task.dates, task.positive) == ("drop", "days", "2")
    assert task.categories == {"size": ("S", "2", "L")}
    assert task.feature_names == ("age", "size=2", "size=L")
    assert load(tmp_path, LEAST).task_as(LogisticTask).feature_names is None
    # How an owner's file is written is its own affair; what its cells mean is everyone's.
    assert load(tmp_path, text.replace('decimal = ","\nthousands = "."', "")).digest == scenario.digest
    for old, new in (('"drop"', '"mean"'), ("positive = 2", "positive = 1"), ('2, "L"', '"L", 2')):
        assert load(tmp_path, text.replace(old, new)).digest != scenario.digest
    assert load(tmp_path, text.replace("positive = 2", 'positive = "2"')).digest == scenario.digest


def test_what_may_be_left_out(tmp_path: Path) -> None:
    scenario = load(tmp_path, LEAST)
    task = scenario.task_as(LogisticTask)
    assert (task.epochs, task.batch_size, task.learning_rate, task.test_fraction) == (10, 128, 0.5, 0.2)
    assert (task.solver, task.sigmoid_range, task.l2, task.standardise) == ("sgd", "auto", 0.0, True)
    assert task.reveal_to == ("a", "b")
    assert (scenario.session.patience, scenario.session.deadline) == (None, 60.0)
    assert scenario.session.connect_timeout == 60.0
    assert scenario.network is None and scenario.testing is None
    with pytest.raises(UsageError, match="does not say where its data are"):
        scenario.data_source("a")
    with pytest.raises(UsageError, match="there is no party 'c'"):
        scenario.data_source("c")


def test_extra_tables_of_ours(tmp_path: Path) -> None:
    scenario = load(tmp_path, GOOD + "[session]\npatience = 3\ndeadline = 9.5\n[testing]\ninsecure_seed = 11\n")
    assert (scenario.session.patience, scenario.session.deadline) == (3.0, 9.5)
    assert scenario.testing is not None and scenario.testing.insecure_seed == 11


def test_a_scenario_cannot_be_changed(tmp_path: Path) -> None:
    scenario = load(tmp_path, GOOD)
    with pytest.raises(ValidationError):
        scenario.seed = 8
    with pytest.raises(ValidationError):
        scenario.task_as(LogisticTask).epochs = 8


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert load(tmp_path, text).digest == load(tmp_path, GOOD).digest


def test_missing_values_are_told_where_there_may_be_some(tmp_path: Path) -> None:
    reveal = 'reveal = ["missing", "model"]\nmissing = "drop"\ncompare_ranges = true'
    task = load(tmp_path, changed(('reveal = ["metrics", "model"]', reveal))).task_as(LogisticTask)
    assert (task.reveal, task.compare_ranges) == (("model", "missing"), True)


FULL_BATCH = changed(("epochs = 3\n", ""), ("batch_size = 64\n", ""), ("learning_rate = 1\n", ""))


@pytest.mark.parametrize(("solver", "iterations", "momentum"), [("nesterov", 300, 0.9), ("newton", 60, 0.7)])
def test_full_batch_solvers_have_defaults_of_their_own(
    tmp_path: Path, solver: str, iterations: int, momentum: float
) -> None:
    path = tmp_path / "full.toml"
    path.write_text(FULL_BATCH.replace('solver = "sgd"', f'solver = "{solver}"'))
    task = load_scenario(path).task_as(LogisticTask)
    assert (task.iterations, task.momentum, task.learning_rate) == (iterations, momentum, "auto")
    settings = settings_for(load_scenario(path), {"hospital_a": (80, 20), "hospital_b": (40, 10)}, 6)
    assert (settings.solver, settings.step_count, settings.momentum) == (solver, iterations, dyadic(momentum))
    assert settings.learning_rate == automatic_rate(solver, 6, task.l2)


INFERENCE = changed(
    ('solver = "sgd"\n', ""),
    ("epochs = 3\n", ""),
    ("batch_size = 64\n", ""),
    ("learning_rate = 1\n", ""),
    ('reveal = ["metrics", "model"]', 'reveal = ["inference", "metrics"]'),
)


def test_inference(tmp_path: Path) -> None:
    path = tmp_path / "inference.toml"
    path.write_text(INFERENCE.replace('sigmoid_range = "auto"\n', ""))
    scenario = load_scenario(path)
    assert scenario.task_as(LogisticTask).reveal == ("model", "metrics", "inference")
    settings = settings_for(scenario, {"hospital_a": (80, 20), "hospital_b": (40, 10)}, 6)
    assert (settings.solver, settings.step_count, settings.inference) == ("irls", 14, "shared")
    path.write_text(path.read_text().replace("l2 = 0", 'l2 = 0\ninference = "open-fisher"\nnewton_steps = 20'))
    settings = settings_for(load_scenario(path), {"hospital_a": (80, 20), "hospital_b": (40, 10)}, 6)
    assert (settings.step_count, settings.inference) == (20, "open-fisher")


@pytest.mark.parametrize(
    ("written", "read"), [('"balanced"', "balanced"), ("[1, 5.5]", (1.0, 5.5)), ("[64, 1]", (64.0, 1.0))]
)
def test_class_weights(tmp_path: Path, written: str, read: object) -> None:
    path = tmp_path / "weights.toml"
    path.write_text(changed(("l2 = 0", f"l2 = 0\nclass_weights = {written}")))
    scenario = load_scenario(path)
    assert scenario.task_as(LogisticTask).class_weights == read
    settings = settings_for(scenario, {"hospital_a": (80, 20), "hospital_b": (40, 10)}, 6)
    assert settings.class_weights == read
    assert MOST_UNEQUAL == class_weights.MOST_UNEQUAL


def test_places_where_there_is_no_scenario(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none.toml", "no such scenario file"), (tmp_path, "a folder")):
        with pytest.raises(UsageError, match=says):
            load_scenario(path)
    with pytest.raises(UsageError, match="cannot be read"):
        load_scenario(Path("a\0b.toml"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.5:7101", ("10.0.0.5", 7101)),
        ("[::1]:7101", ("::1", 7101)),
        ("node-1.clinic.example:1", ("node-1.clinic.example", 1)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_addresses(tmp_path: Path, text: str, expected: tuple[str, int]) -> None:
    assert split_address(text) == expected
    scenario = load(tmp_path, changed(('data = "data/a.csv"', f'address = "{text}"')))
    assert scenario.parties["hospital_a"].address == text


@pytest.mark.parametrize("text", ["", ":1", "h:", "h:0", "h:-1", "h:٣", "[]:1", "[h]:1", "a b:1", "-h:1", "h"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        split_address(text)


def test_the_digest_ignores_what_is_a_partys_own(tmp_path: Path) -> None:
    one = load(tmp_path, GOOD)
    (tmp_path / "elsewhere").mkdir()
    other = load(tmp_path / "elsewhere", changed(('data = "data/a.csv"\n', "")))
    assert len(one.digest) == 64
    assert one.digest == other.digest
    assert one.agreement() == other.agreement()
    assert "select" not in str(one.agreement())


@pytest.mark.parametrize(
    "change",
    [
        ("seed = 7", "seed = 8"),
        ("epochs = 3", "epochs = 4"),
        ("l2 = 0", "l2 = 0.001"),
        ("two-hospitals", "2-hospitals"),
        ("latency_ms = 10.0", "latency_ms = 11"),
        ('data = "data/a.csv"', 'data = "data/a.csv"\nrows = 5'),
        ("hospital_a", "hospital_c"),
        ("[network]", "[testing]\ninsecure_seed = 1\n[network]"),
        ("[network]", "[session]\ndeadline = 61\n[network]"),
    ],
)
def test_the_digest_covers_what_must_be_agreed(tmp_path: Path, change: tuple[str, str]) -> None:
    one, other = load(tmp_path, GOOD), load(tmp_path, changed(change))
    assert one.digest != other.digest
    assert differences(one.agreement(), other.agreement())


def test_the_digest_covers_the_order_of_the_parties(tmp_path: Path) -> None:
    swapped = changed(("hospital_a]", "hospital_x]"), ("hospital_b]", "hospital_a]"), ("x]", "b]"))
    one, other = load(tmp_path, GOOD), load(tmp_path, swapped)
    assert one.digest != other.digest
    assert "party_order" in differences(one.agreement(), other.agreement())[0]


def test_spelling_does_not_change_the_digest(tmp_path: Path) -> None:
    other = changed(
        ("learning_rate = 1", "learning_rate = 1.0"),
        ("l2 = 0", "l2 = 0e0"),
        ('["metrics", "model"]', '["model", "metrics"]'),
        ("bandwidth_mbit = 100.0", "bandwidth_mbit = 100"),
    )
    assert load(tmp_path, GOOD).digest == load(tmp_path, other).digest


def test_differences_name_the_key_and_both_values(tmp_path: Path) -> None:
    one = load(tmp_path, GOOD).agreement()
    other = load(tmp_path, changed(("epochs = 3", "epochs = 4"), ("l2 = 0", "l2 = 0.5"))).agreement()
    assert differences(one, other) == ["task.epochs: 3 here, 4 there", "task.l2: 0.0 here, 0.5 there"]
    assert differences(one, one) == []


def test_differences_of_what_a_peer_made_up(tmp_path: Path) -> None:
    one = load(tmp_path, GOOD).agreement()
    odd = {**one, "task": "x" * 1000, "\x1b[31m\n": [1] * 1000, "seed": True, "network": None}
    found = differences(one, odd)
    assert len(found) == 4
    assert all(line.isprintable() and len(line) < 200 for line in found)


def test_importing_it_is_light() -> None:
    heavy = "{'duckdb', 'numpy', 'zmq', 'rich', 'cryptography'}"
    code = f"import sys, parties.scenario.file; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
