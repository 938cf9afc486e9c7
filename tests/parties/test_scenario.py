"""Scenario files: what a good one becomes, and what is said about a bad one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mpc.errors import UsageError
from parties.scenario import Scenario, SqlSource, differences, load_scenario, split_address
from parties.scenario_solver import MOST_UNEQUAL
from parties.training_settings import settings_for
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


def refused(tmp_path: Path, text: str | bytes) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    assert caught.value.exit_code == 2
    assert "pydantic" not in str(caught.value)
    return caught.value


def refusal(tmp_path: Path, text: str | bytes) -> str:
    return str(refused(tmp_path, text))


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
    assert scenario.training.features == ("age", "size")
    assert scenario.training.learning_rate == 1.0 and isinstance(scenario.training.learning_rate, float)
    assert scenario.training.reveal == ("model", "metrics")
    assert scenario.training.reveal_to == ("hospital_a", "hospital_b")
    assert scenario.data_path("hospital_a") == tmp_path / "data" / "a.csv"
    assert scenario.data_path("hospital_b") == tmp_path / "x.duckdb"
    assert scenario.data_source("hospital_b") == SqlSource(database="x.duckdb", sql="select * from p")
    assert scenario.network is not None and scenario.network.bandwidth_mbit == 100.0


def test_how_data_are_written(tmp_path: Path) -> None:
    text = changed(
        ('data = "data/a.csv"', 'data = "data/A.CSV"\nencoding = "latin-1"\ndecimal = ","\nthousands = "."'),
        ("epochs = 3", 'missing = "drop"\ndates = "days"\npositive = 2\ncategories.size = [" S ", 2, "L"]'),
    )
    scenario = load(tmp_path, text)
    a, task = scenario.parties["hospital_a"], scenario.training
    assert (a.encoding, a.decimal, a.thousands) == ("latin-1", ",", ".")
    assert (task.missing, task.dates, task.positive) == ("drop", "days", "2")
    assert task.categories == {"size": ("S", "2", "L")}
    assert task.feature_names == ("age", "size=2", "size=L")
    assert load(tmp_path, LEAST).training.feature_names is None
    # How an owner's file is written is its own affair; what its cells mean is everyone's.
    assert load(tmp_path, text.replace('decimal = ","\nthousands = "."', "")).digest == scenario.digest
    for old, new in (('"drop"', '"mean"'), ("positive = 2", "positive = 1"), ('2, "L"', '"L", 2')):
        assert load(tmp_path, text.replace(old, new)).digest != scenario.digest
    assert load(tmp_path, text.replace("positive = 2", 'positive = "2"')).digest == scenario.digest


def test_what_may_be_left_out(tmp_path: Path) -> None:
    scenario = load(tmp_path, LEAST)
    task = scenario.training
    assert (task.epochs, task.batch_size, task.learning_rate, task.test_fraction) == (10, 128, 0.5, 0.2)
    assert (task.solver, task.sigmoid_range, task.l2, task.standardise) == ("sgd", "auto", 0.0, True)
    assert task.reveal_to == ("a", "b")
    assert (scenario.session.patience, scenario.session.deadline) == (None, 60.0)
    assert scenario.session.connect_timeout == 60.0
    assert scenario.network is None and scenario.testing is None
    with pytest.raises(UsageError, match="does not say where its data are"):
        scenario.data_path("a")
    with pytest.raises(UsageError, match="there is no party 'c'"):
        scenario.data_path("c")


def test_extra_tables_of_ours(tmp_path: Path) -> None:
    scenario = load(tmp_path, GOOD + "[session]\npatience = 3\ndeadline = 9.5\n[testing]\ninsecure_seed = 11\n")
    assert (scenario.session.patience, scenario.session.deadline) == (3.0, 9.5)
    assert scenario.testing is not None and scenario.testing.insecure_seed == 11


def test_a_scenario_cannot_be_changed(tmp_path: Path) -> None:
    scenario = load(tmp_path, GOOD)
    with pytest.raises(ValidationError):
        scenario.seed = 8
    with pytest.raises(ValidationError):
        scenario.training.epochs = 8


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert load(tmp_path, text).digest == load(tmp_path, GOOD).digest


BOTH = '"hospital_b", "hospital_a"'

MISTAKES = [
    # what is changed in GOOD, and what the message must hold
    (("seed = 7", "sede = 7"), ["'sede'", "did you mean 'seed'?"]),
    (("schema = 1", "shema = 1"), ["which schema", "'shema'"]),
    (("schema = 1", ""), ["which schema", "schema = 1"]),
    (("schema = 1", "schema = 2"), ["schema 2", "not known"]),
    (("schema = 1", 'schema = "1"'), ['schema "1"', "not known"]),
    (("schema = 1", "schema = true"), ["schema true", "not known"]),
    (('name = "two-hospitals"', ""), ["needs a value for 'name'"]),
    (('name = "two-hospitals"', 'name = "../x"'), ["name must be letters", '"../x"']),
    (("seed = 7", "seed = -1"), ["seed must be a whole number from 0", "-1"]),
    (("seed = 7", f"seed = {2**63}"), ["seed must be a whole number from 0"]),
    (("seed = 7", "seed = 7.0"), ["seed must be a whole number", "7.0"]),
    (("seed = 7", "seed = true"), ["seed must be a whole number", "true"]),
    (("learning_rate = 1", "learning_rat = 1"), ["[task]", "you mean 'learning_rate'?"]),
    (("standardise", "standardize"), ["'standardize'", "'standardise'"]),
    (("seed = 7", "seed = 7\nepochs = 4"), ["'epochs'", "belongs in [task]"]),
    (("seed = 7", "seed = 7\nqqqq = 4"), ["'qqqq'", "name, network"]),
    (("latency_ms", "latency"), ["[network]", "'latency_ms'"]),
    (("latency_ms = 10.0", "latency_ms = -1"), ["[network] latency_ms", "from 0 to 60000", "-1"]),
    (("bandwidth_mbit = 100.0", "bandwidth_mbit = 0"), ["bandwidth_mbit", "from 0.001"]),
    (("bandwidth_mbit = 100.0", "bandwidth_mbit = inf"), ["bandwidth_mbit", "from 0.001", "inf"]),
    (("[network]", "[session]\npatience = 0\n[network]"), ["[session] patience", "seconds above 0"]),
    (("[network]", "[session]\npatiance = 1\n[network]"), ["[session]", "'patience'"]),
    (("[network]", "[testing]\ninsecure_seed = -1\n[network]"), ["[testing] insecure_seed", "from 0"]),
    (("seed = 7", "seed = 7\nnetwork = 3"), ["TOML"]),
    (("epochs = 3", "epochs = 0"), ["[task] epochs", "from 1", "not 0"]),
    (("epochs = 3", 'epochs = "3"'), ["[task] epochs", "whole number", 'not "3"']),
    (("epochs = 3", "epochs = 3.5"), ["[task] epochs", "whole number", "3.5"]),
    (("epochs = 3", "epochs = true"), ["[task] epochs", "whole number", "true"]),
    (("epochs = 3", "epochs = 1979-05-27"), ["[task] epochs", "whole number", "a date"]),
    (("batch_size = 64", "batch_size = -64"), ["[task] batch_size", "-64"]),
    (("learning_rate = 1", "learning_rate = 0"), ['learning_rate must be "auto" or a number above 0']),
    (("learning_rate = 1", "learning_rate = nan"), ["a number above 0", "nan"]),
    (("learning_rate = 1", "learning_rate = [1]"), ["learning_rate must be", "a list"]),
    (("l2 = 0", "l2 = -0.5"), ["l2 must be a number from 0 to 1000000"]),
    (("test_fraction = 0.25", "test_fraction = 0.95"), ["test_fraction", "from 0 to 0.9", "0.95"]),
    (("test_fraction = 0.25", "test_fraction = -0.1"), ["test_fraction", "from 0 to 0.9"]),
    (('sigmoid_range = "auto"', "sigmoid_range = 0"), ["sigmoid_range", '"auto"', "up to 245"]),
    (('sigmoid_range = "auto"', "sigmoid_range = 246"), ["sigmoid_range", "246"]),
    (('sigmoid_range = "auto"', 'sigmoid_range = "atuo"'), ["sigmoid_range", '"atuo"']),
    (("standardise = true", "standardise = 1"), ['standardise must be true, false or "private"', "not 1"]),
    (('target = "malignant"', ""), ["[task] needs a value for 'target'"]),
    (('target = "malignant"', 'target = " "'), ["[task] target"]),
    (('kind = "logistic_regression"', ""), ["[task] needs a value for 'kind'"]),
    (('["age", "size"]', "[]"), ["features must be a list of one or more", "an empty list"]),
    (('["age", "size"]', '"age"'), ["features must be a list", '"age"']),
    (('["age", "size"]', '["age", 3]'), ["features must be a list of one or more column names"]),
    (('["age", "size"]', '["age", "malignant"]'), ["lists the target 'malignant'"]),
    (('["age", "size"]', '["age", "patient"]'), ["lists the id 'patient'"]),
    (('["age", "size"]', '["age", "age", "size"]'), ["lists 'age' more than once"]),
    (('id = "patient"', 'id = "malignant"'), ["id and target are both 'malignant'"]),
    (('role = "helper"', 'role = "helpr"'), ["[parties.helper] role", '"owner" or "helper"', '"helpr"']),
    (('role = "helper"', ""), ["[parties.helper] needs a value for 'role'"]),
    (('role = "helper"', 'role = "owner"'), ["no helper"]),
    (('role = "owner"\ndata = "data/a.csv"', 'role = "helper"'), ["one owner", "more than one helper"]),
    (('role = "helper"', 'role = "helper"\ndata = "x.csv"'), ["[parties.helper] has data", "remove 'data'"]),
    (('role = "helper"', 'role = "helper"\nrows = 5'), ["[parties.helper] has rows"]),
    (("[parties.helper]", "[parties.Helper]"), ['"Helper"', "cannot be a party's name", "small letters"]),
    (("[parties.helper]", '[parties."h h"]'), ['"h h"', "cannot be a party's name"]),
    (("[parties.helper]", '[parties.""]'), ["an empty text cannot be a party's name"]),
    (("[parties.helper]", "[parties.1st]"), ['"1st"', "cannot be a party's name"]),
    (('data = "data/a.csv"', 'data = ""'), ["[parties.hospital_a] data"]),
    (('data = "data/a.csv"', "data = 4"), ["[parties.hospital_a] data must be a file's path"]),
    (('data = "data/a.csv"', 'dta = "data/a.csv"'), ["[parties.hospital_a]", "'data'"]),
    (("sql =", "sq =", ), ["[parties.hospital_b.data]", "'sql'"]),
    (('sql = "select * from p"', 'sql = ""'), ["[parties.hospital_b.data] sql"]),
    (('data = "data/a.csv"', 'data = "data\\a.csv"'), ["not valid TOML", "line 7", "write /"]),
    (('data = "data/a.csv"', "rows = 0"), ["[parties.hospital_a] rows", "from 1"]),
    (('data = "data/a.csv"', 'address = "10.0.0.5"'), ["[parties.hospital_a] address", "host:port"]),
    (('data = "data/a.csv"', 'address = "10.0.0.500:1"'), ["address", "host:port"]),
    (('data = "data/a.csv"', 'address = "h:70000"'), ["address", "host:port"]),
    (('data = "data/a.csv"', 'address = "tcp://h:7000"'), ["address", "host:port"]),
    (('data = "data/a.csv"', 'address = "::1:7000"'), ["address", "host:port"]),
    (('data = "data/a.csv"', "public_key = 3"), ["public_key must be the text"]),
    ((BOTH, '"hospital_a"'), ["leaves out 'hospital_b'", "not available"]),
    ((BOTH, '"hospital_a", "hospital_c"'), ['"hospital_c"', "did you mean"]),
    ((BOTH, '"hospital_a", "hospital_b", "helper"'), ["the helper 'helper'", "only owners"]),
    ((BOTH, '"hospital_a", "hospital_b", "hospital_b"'), ["'hospital_b' more than once"]),
    (('["hospital_b", "hospital_a"]', "[]"), ["reveal_to must be a list"]),
    (("[task]", "[tsak]"), ["'tsak'", "did you mean 'task'?"]),
    (("epochs = 3", "epochs = 3\nepochs = 4"), ["not valid TOML", "line 24", "second time"]),
    (("epochs = 3", "epochs 3"), ["not valid TOML", "line 23"]),
    (("epochs = 3", 'missing = "skip"'), ["[task] missing must be", '"drop" or "mean"', '"skip"']),
    (("epochs = 3", 'dates = "years"'), ["[task] dates must be", '"days"', '"years"']),
    (("epochs = 3", "positive = true"), ["[task] positive must be", "true"]),
    (("epochs = 3", 'positive = ""'), ["[task] positive must be", "an empty text"]),
    (("epochs = 3", 'categories = ["size"]'), ["[task] categories must be a table", "[task.categories]"]),
    (("epochs = 3", 'decimal = ","'), ["'decimal'", "belongs in [parties.NAME]"]),
    (("epochs = 3", 'categories.size = "S"'), ["[task.categories] size must be a list of two", '"S"']),
    (("epochs = 3", 'categories.size = ["S"]'), ["[task.categories] size must be a list of two", "one level"]),
    (("epochs = 3", 'categories.size = ["S", ""]'), ["[task.categories] size", "an empty text is none"]),
    (("epochs = 3", 'categories.size = ["S", 1.5]'), ["[task.categories] size", "1.5 is none"]),
    (("epochs = 3", 'categories.size = ["S", "M", "s"]'), ["lists 'S' and 's', which are the same"]),
    (("epochs = 3", 'categories.size = [1, "1.0"]'), ["lists '1' and '1.0', which are the same"]),
    (("epochs = 3", 'categories.sise = ["S", "M"]'), ["names 'sise'", "did you mean 'size'?"]),
    (("epochs = 3", 'categories.malignant = ["S", "M"]'), ["[task.categories] names the target"]),
    (("epochs = 3", 'categories.patient = ["S", "M"]'), ["[task.categories] names the id"]),
    (("epochs = 3", 'categories." " = ["S", "M"]'), ["[task.categories] names a column without a name"]),
    (('data = "data/a.csv"', 'encoding = "ascii"'), ["[parties.hospital_a] encoding must be", '"latin-1"']),
    (('data = "data/a.csv"', 'decimal = ";"'), ["[parties.hospital_a] decimal must be"]),
    (('data = "data/a.csv"', 'thousands = "_"'), ["[parties.hospital_a] thousands must be"]),
    (('data = "data/a.csv"', 'thousands = "."'), ['decimal and thousands are both "."', 'decimal = ","']),
    (('data = "data/a.csv"', 'data = "a.parquet"\ndecimal = ","'), ["has 'decimal'", "not a text file"]),
    (("data = {", 'encoding = "utf-8"\ndata = {'), ["[parties.hospital_b] has 'encoding'", "not a text file"]),
    (('role = "helper"', 'role = "helper"\ndecimal = ","'), ["[parties.helper] has decimal"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "must_say"), MISTAKES, ids=[change[1][:40] for change, _ in MISTAKES])
def test_a_mistake_is_named(tmp_path: Path, change: tuple[str, str], must_say: list[str]) -> None:
    said = refusal(tmp_path, changed(change))
    assert str(tmp_path / "s.toml") in said
    for words in must_say:
        assert words in said


def test_missing_values_are_told_only_where_there_may_be_some(tmp_path: Path) -> None:
    asks = 'reveal = ["missing", "model"]'
    said = refusal(tmp_path, changed(('reveal = ["metrics", "model"]', asks)))
    assert 'reveal lists "missing", but with missing = "refuse" there is none' in said and 'missing = "drop"' in said
    path = tmp_path / "drop.toml"
    path.write_text(changed(('reveal = ["metrics", "model"]', asks + '\nmissing = "drop"\ncompare_ranges = true')))
    task = load_scenario(path).training
    assert (task.reveal, task.compare_ranges) == (("model", "missing"), True)


NOT_BUILT = [
    (
        ('reveal = ["metrics", "model"]', 'reveal = ["model", "shap"]'),
        ['reveal = ["shap"]', "use reveal ="],
    ),
    (('kind = "logistic_regression"', 'kind = "poisson"'), ['kind = "poisson"', '"logistic_regression"']),
]


@pytest.mark.parametrize(("change", "must_say"), NOT_BUILT, ids=[change[1] for change, _ in NOT_BUILT])
def test_what_is_not_built_yet_is_refused(tmp_path: Path, change: tuple[str, str], must_say: list[str]) -> None:
    said = refusal(tmp_path, changed(change))
    assert "not available in this version" in said
    assert "problems" not in said, "one mistake is one problem"
    for words in must_say:
        assert words in said


FULL_BATCH = changed(("epochs = 3\n", ""), ("batch_size = 64\n", ""), ("learning_rate = 1\n", ""))


@pytest.mark.parametrize(("solver", "iterations", "momentum"), [("nesterov", 300, 0.9), ("newton", 60, 0.7)])
def test_full_batch_solvers_have_defaults_of_their_own(
    tmp_path: Path, solver: str, iterations: int, momentum: float
) -> None:
    path = tmp_path / "full.toml"
    path.write_text(FULL_BATCH.replace('solver = "sgd"', f'solver = "{solver}"'))
    task = load_scenario(path).training
    assert (task.iterations, task.momentum, task.learning_rate) == (iterations, momentum, "auto")
    settings = settings_for(load_scenario(path), {"hospital_a": (80, 20), "hospital_b": (40, 10)}, 6)
    assert (settings.solver, settings.step_count, settings.momentum) == (solver, iterations, dyadic(momentum))
    assert settings.learning_rate == automatic_rate(solver, 6, task.l2)


@pytest.mark.parametrize(
    ("change", "must_say"),
    [
        (("epochs = 3\n", ""), ['batch_size belongs to solver = "sgd"', "iterations"]),
        (
            ("standardise = true", "standardise = false"),
            ["epochs and batch_size belong", "needs standardised features"],
        ),
        (("l2 = 0", "momentum = 1.0"), ["momentum must be a number from 0 to 0.99"]),
    ],
)
def test_what_a_full_batch_solver_does_not_take(tmp_path: Path, change: tuple[str, str], must_say: list[str]) -> None:
    said = refusal(tmp_path, changed(('solver = "sgd"', 'solver = "newton"'), change))
    for words in must_say:
        assert words in said


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
    assert scenario.training.reveal == ("model", "metrics", "inference")
    settings = settings_for(scenario, {"hospital_a": (80, 20), "hospital_b": (40, 10)}, 6)
    assert (settings.solver, settings.step_count, settings.inference) == ("irls", 14, "shared")
    path.write_text(path.read_text().replace("l2 = 0", 'l2 = 0\ninference = "open-fisher"\nnewton_steps = 20'))
    settings = settings_for(load_scenario(path), {"hospital_a": (80, 20), "hospital_b": (40, 10)}, 6)
    assert (settings.step_count, settings.inference) == (20, "open-fisher")


@pytest.mark.parametrize(
    ("change", "must_say"),
    [
        (("l2 = 0", "l2 = 0.1"), ["maximum-likelihood fit, and l2 would bias it"]),
        (("l2 = 0", 'l2 = 0\nclass_weights = "balanced"'), ["standard errors would mean nothing"]),
        (("l2 = 0", 'l2 = 0\nsolver = "newton"\niterations = 3'), ["'solver' and 'iterations' have no part"]),
        (("standardise = true", "standardise = false"), ["needs standardised features"]),
        (("l2 = 0", "l2 = 0\nnewton_steps = 1"), ["newton_steps must be a whole number from 2 to 100"]),
        (('"inference", "metrics"', '"metrics", "model"'), []),
    ],
)
def test_what_inference_does_not_take(tmp_path: Path, change: tuple[str, str], must_say: list[str]) -> None:
    text = INFERENCE.replace('sigmoid_range = "auto"\n', "")
    assert change[0] in text
    if not must_say:
        text, must_say = (
            text.replace("l2 = 0", "l2 = 0\nnewton_steps = 9"),
            ["'newton_steps' goes with reveal = "],
        )
    said = refusal(tmp_path, text.replace(*change))
    for words in must_say:
        assert words in said


@pytest.mark.parametrize(
    ("solver", "given", "must_say"),
    [
        ("newton", "0.0", ["tolerance must be a number above 0 and up to 1"]),
        ("newton", "1.5", ["tolerance must be a number above 0 and up to 1"]),
        ("sgd", "0.001", ["tolerance belongs to the full-batch solvers", "never come to rest"]),
        ("auto", "0.001", ['solver = "auto" chooses tolerance itself']),
    ],
)
def test_what_tolerance_goes_with(tmp_path: Path, solver: str, given: str, must_say: list[str]) -> None:
    said = refusal(tmp_path, FULL_BATCH.replace('solver = "sgd"', f'solver = "{solver}"\ntolerance = {given}'))
    for words in must_say:
        assert words in said


def test_interactions_are_of_other_columns_and_stand_once(tmp_path: Path) -> None:
    said = refusal(tmp_path, changed(('["age", "size"]', '["age", "age:male", "male:age", "age:malignant"]')))
    assert "features lists the target 'malignant'" in said
    assert "features lists 'age:male' more than once" in said


def test_a_solver_left_to_the_plan_takes_no_numbers_of_one(tmp_path: Path) -> None:
    said = refusal(tmp_path, changed(('solver = "sgd"', 'solver = "auto"')))
    assert 'solver = "auto" chooses epochs and batch_size and learning_rate itself' in said
    path = tmp_path / "auto.toml"
    path.write_text(FULL_BATCH.replace('solver = "sgd"', 'solver = "auto"'))
    assert load_scenario(path).training.learning_rate == "auto"
    path.write_text(FULL_BATCH.replace('solver = "sgd"', 'solver = "auto"').replace("ise = true", "ise = false"))
    with pytest.raises(UsageError, match="goes by standardised features"):
        load_scenario(path)


@pytest.mark.parametrize(
    ("written", "read"), [('"balanced"', "balanced"), ("[1, 5.5]", (1.0, 5.5)), ("[64, 1]", (64.0, 1.0))]
)
def test_class_weights(tmp_path: Path, written: str, read: object) -> None:
    path = tmp_path / "weights.toml"
    path.write_text(changed(("l2 = 0", f"l2 = 0\nclass_weights = {written}")))
    scenario = load_scenario(path)
    assert scenario.training.class_weights == read
    settings = settings_for(scenario, {"hospital_a": (80, 20), "hospital_b": (40, 10)}, 6)
    assert settings.class_weights == read
    assert MOST_UNEQUAL == class_weights.MOST_UNEQUAL


@pytest.mark.parametrize("written", ['"equal"', "[1]", "[1, 2, 3]", "[0, 1]", "[1, 65]", "2"])
def test_class_weights_that_make_no_sense(tmp_path: Path, written: str) -> None:
    said = refusal(tmp_path, changed(("l2 = 0", f"l2 = 0\nclass_weights = {written}")))
    assert "class_weights" in said


def test_an_automatic_rate_needs_standardised_features(tmp_path: Path) -> None:
    auto = ("learning_rate = 1", 'learning_rate = "auto"')
    said = refusal(tmp_path, changed(auto, ("standardise = true", "standardise = false")))
    assert 'learning_rate = "auto" goes by standardised features' in said and "give a number" in said


@pytest.mark.parametrize("role", ["server", "client"])
def test_roles_of_a_secure_sum_have_no_place_in_a_training(tmp_path: Path, role: str) -> None:
    said = refusal(tmp_path, changed(('role = "helper"', f'role = "{role}"')))
    assert f'role = "{role}" is for kind = "secure_sum"' in said
    assert "problems" not in said


def test_iterations_points_to_epochs(tmp_path: Path) -> None:
    said = refusal(tmp_path, changed(("epochs = 3", "iterations = 3")))
    assert "iterations belongs to the full-batch solvers" in said
    assert "'epochs'" in said


def test_all_problems_are_told_together(tmp_path: Path) -> None:
    text = changed(("epochs = 3", "epoch = 3"), ("seed = 7", "seed = -1"), ("l2 = 0", "l2 = -1"))
    assert len(refused(tmp_path, text).points) == 3
    said = refusal(tmp_path, text)
    assert "3 problems" in said
    for words in ("'epochs'", "seed must be", "l2 must be"):
        assert words in said


def test_many_problems_are_counted_not_listed(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD.replace("[network]", "\n".join(f"qq{i} = 1" for i in range(20))))
    assert "problems" in error.message
    assert len(error.points) == 6
    assert "more" in error.points[-1]


def test_too_many_parties(tmp_path: Path) -> None:
    extra = "".join(f'[parties.p{i}]\nrole = "owner"\n' for i in range(62))
    said = refusal(tmp_path, LEAST.replace("[task]", extra + "[task]"))
    assert "65 parties" in said and "64" in said


def test_no_parties_and_no_task(tmp_path: Path) -> None:
    said = refusal(tmp_path, 'schema = 1\nname = "x"\n')
    assert "names no parties" in said and "no [task]" in said


@pytest.mark.parametrize("text", ["parties = 3", "task = 3", "parties.a = 3", "network = [1]"])
def test_something_else_in_place_of_a_table(tmp_path: Path, text: str) -> None:
    refusal(tmp_path, f'schema = 1\nname = "x"\n{text}\n')


def test_addresses_and_keys_are_each_ones_own(tmp_path: Path) -> None:
    text = changed(
        ('data = "data/a.csv"', 'address = "h:1"\npublic_key = "k"'),
        ('role = "helper"', 'role = "helper"\naddress = "h:1"\npublic_key = "k"'),
    )
    said = refusal(tmp_path, text)
    assert "hospital_a and helper have the same address" in said
    assert "hospital_a and helper have the same public_key" in said


def test_files_that_are_no_scenario(tmp_path: Path) -> None:
    assert "not UTF-8 text (line 2)" in refusal(tmp_path, b'schema = 1\nname = "\xe9"\n')
    assert "not valid TOML" in refusal(tmp_path, bytes(range(1, 128)))
    assert "which schema" in refusal(tmp_path, "")
    assert "nested too deeply" in refusal(tmp_path, "a = " + "[" * 100_000)
    with pytest.raises(UsageError, match="no such scenario file"):
        load_scenario(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="a folder"):
        load_scenario(tmp_path)
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
    assert one.agreed() == other.agreed()
    assert "select" not in str(one.agreed())


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
    assert differences(one.agreed(), other.agreed())


def test_the_digest_covers_the_order_of_the_parties(tmp_path: Path) -> None:
    swapped = changed(("hospital_a]", "hospital_x]"), ("hospital_b]", "hospital_a]"), ("x]", "b]"))
    one, other = load(tmp_path, GOOD), load(tmp_path, swapped)
    assert one.digest != other.digest
    assert "party_order" in differences(one.agreed(), other.agreed())[0]


def test_spelling_does_not_change_the_digest(tmp_path: Path) -> None:
    other = changed(
        ("learning_rate = 1", "learning_rate = 1.0"),
        ("l2 = 0", "l2 = 0e0"),
        ('["metrics", "model"]', '["model", "metrics"]'),
        ("bandwidth_mbit = 100.0", "bandwidth_mbit = 100"),
    )
    assert load(tmp_path, GOOD).digest == load(tmp_path, other).digest


def test_differences_name_the_key_and_both_values(tmp_path: Path) -> None:
    one = load(tmp_path, GOOD).agreed()
    other = load(tmp_path, changed(("epochs = 3", "epochs = 4"), ("l2 = 0", "l2 = 0.5"))).agreed()
    assert differences(one, other) == ["task.epochs: 3 here, 4 there", "task.l2: 0.0 here, 0.5 there"]
    assert differences(one, one) == []


def test_differences_of_what_a_peer_made_up(tmp_path: Path) -> None:
    one = load(tmp_path, GOOD).agreed()
    odd = {**one, "task": "x" * 1000, "\x1b[31m\n": [1] * 1000, "seed": True, "network": None}
    found = differences(one, odd)
    assert len(found) == 4
    assert all(line.isprintable() and len(line) < 200 for line in found)


def test_importing_it_is_light() -> None:
    heavy = "{'duckdb', 'numpy', 'zmq', 'rich', 'cryptography'}"
    code = f"import sys, parties.scenario; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
