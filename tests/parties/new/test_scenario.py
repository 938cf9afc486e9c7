"""`mpc new`: what it makes of files, and what it refuses."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mpc.errors import BeaverlodgeError, DataError, UsageError
from parties.new.choices import Options, is_named_like_id
from parties.new.example import ROWS, write_example
from parties.new.scenario import NewScenario, new_scenario, owner_names
from parties.tasks.registry import load_scenario, planned

Columns = Mapping[str, Any]
NO_CHOICE = Options()


def columns(rows: int = 40, seed: int = 0, **more: Any) -> dict[str, Any]:
    """Two measurements, an outcome of 0 and 1, and any other columns."""
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 90, rows)
    return {
        "age": age,
        "dose": rng.normal(size=rows).round(3),
        "ill": (age + rng.normal(size=rows) * 20 > 55) * 1,
    } | more


def write(path: Path, table: Columns, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(table)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, **{"index": False, **how})
    return path


def make(
    tmp_path: Path, *tables: Columns, asked: Options = NO_CHOICE, **how: Any
) -> tuple[NewScenario, dict[str, Any]]:
    """The scenario for these tables, in CSV files a.csv, b.csv, ..., and what it says."""
    files = [write(tmp_path / f"{'abcdef'[k]}.csv", table, **how) for k, table in enumerate(tables)]
    made = new_scenario(tmp_path / "study", files, asked)
    return made, tomllib.loads(made.path.read_text(encoding="utf-8"))


def told(made: NewScenario, what: str) -> str:
    return next((line.split(what, 1)[1].strip() for line in made.lines if line.startswith(f"  {what} ")), "")


def plans(made: NewScenario) -> int:
    """The number of features in the plan of what was written: as `mpc plan` and `mpc run` read it."""
    settings, _ = planned(load_scenario(made.path))
    return settings.features


def test_without_files_it_makes_up_two_tables_and_says_so(tmp_path: Path) -> None:
    made = new_scenario(tmp_path / "first", [], NO_CHOICE)
    again = new_scenario(tmp_path / "second", [], NO_CHOICE)
    assert plans(made) == 4
    text = made.path.read_text(encoding="utf-8")
    assert "made up" in text
    assert any("are made up" in line for line in made.lines)
    assert text.split() == again.path.read_text(encoding="utf-8").replace("second", "first").split()
    for name, rows in ROWS.items():
        content = (tmp_path / "first" / name).read_bytes()
        assert content == (tmp_path / "second" / name).read_bytes()
        assert content.count(b"\n") == rows + 1
    assert {path.name for path in (tmp_path / "first").iterdir()} == {"scenario.toml", *ROWS}


def test_the_made_up_tables_are_found_out_by_themselves(tmp_path: Path) -> None:
    files = write_example(tmp_path)
    made = new_scenario(tmp_path / "study", files, NO_CHOICE)
    task = tomllib.loads(made.path.read_text(encoding="utf-8"))["task"]
    assert (task["target"], task["id"]) == ("readmitted", "patient")
    assert task["features"] == ["age", "bmi", "systolic_pressure", "days_in_hospital"]


def test_every_setting_is_said_and_explained(tmp_path: Path) -> None:
    made, found = make(tmp_path, columns(), columns(seed=1))
    assert list(found["parties"]) == ["a", "b", "helper"]
    assert found["parties"]["a"] == {"role": "owner", "data": "../a.csv"}
    assert found["task"]["target"] == "ill"
    assert found["task"]["features"] == ["age", "dose"]
    assert "id" not in found["task"]
    assert found["name"] == "study"
    assert plans(made) == 2
    lines = made.path.read_text(encoding="utf-8").splitlines()
    task = lines[lines.index("[task]") :]
    explained = {line.split(" =")[0] for line in task if "# " in line and " = " in line.split("#")[0]}
    assert explained >= found["task"].keys() - {"kind"}
    assert max(map(len, lines)) <= 120
    assert made.lines[-2:] == (f"  mpc plan {made.path}", f"  mpc run {made.path}")


def test_any_number_of_files_of_either_kind(tmp_path: Path) -> None:
    names = ["north.csv", "east.parquet", "West Side.csv", "south.tsv"]
    files = [
        write(tmp_path / name, columns(seed=k), **({"sep": "\t"} if name.endswith("tsv") else {}))
        for k, name in enumerate(names)
    ]
    made = new_scenario(tmp_path / "study", files, NO_CHOICE)
    scenario = load_scenario(made.path)
    assert scenario.owners == ("north", "east", "west_side", "south")
    assert plans(made) == 2
    assert "north (40 rows)" in told(made, "owners")


def test_files_are_named_relative_to_the_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From wherever it is called, and through a link to a folder."""
    (tmp_path / "deep" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "real")
    for k, name in enumerate(("x.csv", "y.csv")):
        write(tmp_path / "data" / name, columns(seed=k))
    monkeypatch.chdir(tmp_path / "data")
    made = new_scenario(Path("../link/study"), [Path("x.csv"), Path("../data/y.csv")], NO_CHOICE)
    found = tomllib.loads(made.path.read_text(encoding="utf-8"))
    assert found["parties"]["x"]["data"] == "../../../data/x.csv"
    assert plans(made) == 2


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["Klinik Süd.csv", "2nd site.csv"], ["klinik_sud", "owner_2nd_site"]),
        (["site1/data.csv", "site2/data.csv"], ["site1_data", "site2_data"]),
        (["x/a b.csv", "x/a-b.csv"], ["x_a_b", "x_a_b_2"]),
        (["helper.csv", "病院.csv"], ["helper_2", "owner"]),
        (["!.csv", "?.csv"], None),
    ],
)
def test_owners_are_named_after_their_files(paths: list[str], names: list[str] | None) -> None:
    found = owner_names([Path(path) for path in paths])
    assert list(found.values()) == [Path(path) for path in paths]
    if names is not None:
        assert list(found) == names
    assert len(set(found)) == len(paths)


def test_what_is_left_out_and_why(tmp_path: Path) -> None:
    rows = 40
    extra: dict[str, Any] = {
        "PatientID": list(range(1000, 1000 + rows)),
        "visit": list(range(1, rows + 1)),
        "note": ["well"] * rows,
        "born": ["1970-01-31"] * rows,
        "always": [3] * rows,
        "hole": [None] * rows,
        "sparse": [1.5, 2.5] + [None] * (rows - 2),
        "huge": [1e15] + [1.0] * (rows - 1),
        "dirty": ["5", "6"] * (rows // 2 - 1) + ["5", "about 6"],
        "smoker": [True, False] * (rows // 2),
        "plain": [0.5, 1.5] * (rows // 2),
    }
    made, found = make(
        tmp_path, columns(**extra, only_here=[1.0] * rows), columns(seed=1, **extra), asked=Options(target="ill")
    )
    left = told(made, "left out")
    for words in (
        "visit (it seems to number the rows)", "note (text)", "born (dates)", "always (always the same)",
        "hole (empty)", "sparse (mostly empty", "huge (a value is infinite or beyond 2^40)",
        f"dirty (is not numeric: data row {rows} does not hold a number)", "only_here (not in every file)",
    ):  # fmt: skip
        assert words in left, words
    assert "[task.categories]" in told(made, "text")
    assert found["task"]["features"] == ["age", "dose", "smoker", "plain"]
    assert found["task"]["id"] == "PatientID"
    assert "only_here" not in made.path.read_text(encoding="utf-8"), "the other owner may not have known of it"
    assert plans(made) == 4


@pytest.mark.parametrize(("rows", "proposed"), [(27, ["model", "metrics"]), (26, ["inference", "metrics"])])
def test_inference_is_proposed_where_there_are_enough_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, proposed: list[str]
) -> None:
    """80 rows, and three coefficients with the intercept's."""
    monkeypatch.setattr("parties.tasks.logistic.new._ROWS_A_FEATURE", rows)
    made, found = make(tmp_path, columns(), columns(seed=1))
    assert found["task"]["reveal"] == proposed
    assert found["task"]["test_fraction"] == (0.2 if "model" in proposed else 0.0)
    assert plans(made)


@pytest.mark.parametrize("holes, how", [(5, "drop"), (30, "mean")])
def test_missing_values(tmp_path: Path, holes: int, how: str) -> None:
    """Complete rows only, unless few would be left."""
    a, b, c = (
        np.where(np.arange(60) % 3 == k if holes > 20 else np.arange(60) < holes, np.nan, np.arange(60) * 1.5)
        for k in range(3)
    )
    made, found = make(tmp_path, columns(60, p=a, q=b, r=c), columns(60, seed=1, p=b, q=c, r=a))
    assert found["task"]["missing"] == how
    assert told(made, "missing")
    assert plans(made) == 5


def test_numbers_and_letters_as_in_europe(tmp_path: Path) -> None:
    table = columns(größe=[f"1.{100 + k},5" for k in range(40)])
    how: dict[str, Any] = {"sep": ";", "decimal": ",", "encoding": "cp1252"}
    made, found = make(tmp_path, table, table | {"dose": np.linspace(0, 1, 40)}, **how)
    for party in ("a", "b"):
        settings = found["parties"][party]
        assert (settings["encoding"], settings["decimal"], settings["thousands"]) == ("windows-1252", ",", ".")
    assert found["task"]["features"] == ["age", "dose", "größe"]
    assert plans(made) == 3


def test_a_form_that_is_not_certain_is_not_guessed(tmp_path: Path) -> None:
    table = columns(dose=[f"1,{100 + k}" for k in range(40)], weight=[50 + k * k % 97 for k in range(40)])
    made, found = make(tmp_path, table, table)
    assert "decimal" not in found["parties"]["a"]
    assert found["task"]["features"] == ["age", "weight"]
    assert "dose (has numbers with a thousands separator or a decimal comma" in told(made, "left out")


def test_names_that_toml_must_escape(tmp_path: Path) -> None:
    odd: dict[str, Any] = {
        'sa"id': [1.5, 2.5] * 20,
        "back\\slash": [3.5, 4.5] * 20,
        "del\x7f": [1, 2] * 20,
    }
    made, found = make(tmp_path, columns(**odd), columns(seed=1, **odd))
    assert found["task"]["features"] == ["age", "dose", *odd]
    assert plans(made) == 5


def test_a_column_of_ids_of_which_some_repeat_is_no_feature(tmp_path: Path) -> None:
    """Rows of one patient may be many; but that column predicts nothing, and is no name of a row."""
    made, found = make(tmp_path, columns(patient=[7, *range(39)]), columns(seed=1, patient=range(40)))
    assert found["task"]["features"] == ["age", "dose"] and "id" not in found["task"]
    assert "patient (it seems to name the rows, but not each by another value, in 'a.csv')" in told(made, "left out")


def test_a_target_in_words(tmp_path: Path) -> None:
    words: Callable[[Columns], list[str]] = lambda table: ["M" if one else "B" for one in table["ill"]]  # noqa: E731
    tables = [columns(seed=k) for k in (0, 1)]
    coded = [{"age": t["age"], "dose": t["dose"], "diagnosis": words(t)} for t in tables]
    made, found = make(tmp_path, *coded, asked=Options(target="diagnosis", positive="M"))
    assert (found["task"]["target"], found["task"]["positive"]) == ("diagnosis", "M")
    assert told(made, "target") == "diagnosis (1 where it is M)"
    assert plans(made) == 2


TWO = (columns(), columns(seed=1))
FLAGS = tuple(columns(seed=k, sex=[0, 1] * 20, smoker=["yes", "no"] * 20) for k in (0, 1))
CODED = tuple(columns(seed=k, stage=[1, 2] * 20) for k in (0, 1))
WORDS = tuple({"age": t["age"], "stage": ["I", "II"] * 20} for t in TWO)


@pytest.mark.parametrize(
    ("tables", "asked", "message", "hint"),
    [
        (FLAGS, Options(), "'ill', 'sex' and 'smoker' could be", "--target COLUMN"),
        (WORDS, Options(), "none holds 0 and 1", "--positive VALUE"),
        (WORDS, Options(target="stage"), "in a.csv 'stage' does not", "two other values, say with --positive"),
        (WORDS, Options(positive="II"), "no target is named", "--target COLUMN"),
        (TWO, Options(target="Ill"), "a.csv has no column 'Ill'", "did you mean 'ill'?"),
        (CODED, Options(target="stage"), "in a.csv 'stage' does not", "could be predicted: 'ill'"),
        (TWO, Options(identifier="mrn"), "--id: a.csv has no column 'mrn'", "its columns are"),
        (TWO, Options(identifier="ill"), "both 'ill'", "two columns"),
        (({"x": [1, 2]}, {"y": [1, 2]}), Options(), "a.csv has 'x'; b.csv has 'y'", "same name"),
        (({"ill": [0, 1] * 9, "x": ["a"] * 18},) * 2, Options(), "'x' (text)", "as numbers"),
        ((columns(ill=[1] * 40),) * 2, Options(target="ill"), "'ill' is the same in all rows", "--positive"),
        (TWO[:1], Options(), "only one file", "twice at least"),
    ],
)
def test_it_refuses_what_is_not_clear(
    tmp_path: Path, tables: Sequence[Columns], asked: Options, message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        make(tmp_path, *tables, asked=asked)
    assert message in raised.value.message
    assert hint in raised.value.hint
    assert not (tmp_path / "study").exists(), "nothing is left behind"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ((columns(3), columns(40)), "3 rows of data, but an owner needs at least 5"),
        ((columns(id=range(40)), columns(id=[1] * 40)), "the id column 'id' repeats"),
    ],
)
def test_data_that_would_not_run_leave_no_scenario(tmp_path: Path, tables: Sequence[Columns], message: str) -> None:
    asked = Options(identifier="id" if "id" in tables[1] else None)
    with pytest.raises(BeaverlodgeError) as raised:
        make(tmp_path, *tables, asked=asked)
    assert message in raised.value.message
    assert not (tmp_path / "study").exists()


# -- other columns of the same patients


def halves(rows: int = 40, **more: Any) -> list[dict[str, Any]]:
    """Two files of the same patients, in different orders: the second has the outcome."""
    table = columns(rows)
    ids = [f"P{k:03}" for k in range(rows)]
    one = {"patient": ids, "age": table["age"], **more}
    other = {"patient": [name.lower() for name in ids[::-1]], "dose": table["dose"][::-1], "ill": table["ill"][::-1]}
    return [one, other]


def test_other_columns_of_the_same_patients(tmp_path: Path) -> None:
    made, found = make(tmp_path, *halves())
    assert found["task"]["partition"] == "vertical"
    assert (found["task"]["target"], found["task"]["id"]) == ("ill", "patient")
    assert "features" not in found["task"]
    assert [found["parties"][owner].get("features") for owner in "ab"] == [["age"], ["dose"]]
    assert plans(made) == 2
    assert told(made, "patients").startswith("the same in all files")
    assert max(map(len, made.path.read_text().splitlines())) <= 120
    one, other = halves()
    made, found = make(tmp_path / "three", one, {"patient": one["patient"], "ill": other["ill"][::-1]}, {
        "patient": one["patient"], "age": one["age"] * 2, "dose": other["dose"], "never": [3] * 40,
    })  # fmt: skip
    assert [found["parties"][owner].get("features") for owner in "abc"] == [["age"], None, ["age", "dose"]]
    assert plans(made) == 3
    assert "never (always the same)" in told(made, "left out")


def test_the_same_columns_of_the_same_patients_are_rows(tmp_path: Path) -> None:
    table = columns(patient=[f"P{k}" for k in range(40)])
    assert make(tmp_path, table, table)[1]["task"]["partition"] == "horizontal"


@pytest.mark.parametrize(
    ("changes", "asked", "message"),
    [
        ({"sex": [0, 1] * 20}, Options(), "'sex' and 'ill' could be"),
        ({}, Options(positive="II"), "'ill' could be"),
        ({"age": [1, 2] * 20}, Options(target="age"), "in a.csv 'age' does not"),
        ({"age": ["old"] * 40}, Options(), "a.csv has no numeric column to predict 'ill' from"),
        (
            {"patient": [f"P{k:03}" for k in range(1, 41)]},
            Options(),
            "39 ids are in every file, but the files have 40, 40",
        ),
    ],
)
def test_split_columns_that_are_not_clear(
    tmp_path: Path, changes: dict[str, Any], asked: Options, message: str
) -> None:
    one, other = halves()
    with pytest.raises(UsageError) as raised:
        make(tmp_path, one | changes, other, asked=asked)
    assert message in raised.value.message
    assert not (tmp_path / "study").exists()


def test_a_target_of_numbers_is_for_a_linear_regression(tmp_path: Path) -> None:
    made, scenario = make(tmp_path, columns(ill=[2, 3, 5, 8] * 10), columns(seed=1), asked=Options(target="dose"))
    task = scenario["task"]
    assert task["kind"] == "linear_regression" and task["reveal"] == ["inference"] and task["test_fraction"] == 0.0
    assert told(made, "target") == "dose (numbers, so a linear regression)"
    assert plans(made) == 2
    made, scenario = make(tmp_path / "split", *halves(), asked=Options(target="dose"))
    assert scenario["task"]["kind"] == "linear_regression" and scenario["task"]["partition"] == "vertical"
    assert plans(made) == 2


def many(count: int, seed: int) -> dict[str, Any]:
    """So many measurements of 40 rows."""
    return {f"x{k}": np.random.default_rng((seed, k)).normal(size=40).round(3) for k in range(count)}


def test_more_features_than_the_rows_carry_are_left_out(tmp_path: Path) -> None:
    """A run refuses fewer than five rows of an owner's others for each feature, where nothing keeps weights small."""
    tables = [columns(seed=k, **many(12, k)) for k in range(2)]
    made, scenario = make(tmp_path, *tables, asked=Options(target="dose"))
    assert scenario["task"]["features"] == ["age", "ill", *(f"x{k}" for k in range(6))]
    assert plans(made) == 40 // 5
    assert "x6 (the rows carry 8 features, at 5 rows each)" in told(made, "left out")
    made, scenario = make(tmp_path / "classes", columns(400, **few_rows(12)), tables[1])
    assert scenario["task"]["l2"] == 0.01 and plans(made) == 14  # 40 rows besides a's, for 14 features


def few_rows(count: int) -> dict[str, Any]:
    """So many measurements of 400 rows."""
    return {f"x{k}": np.random.default_rng(k).normal(size=400).round(3) for k in range(count)}


def test_split_columns_keep_a_feature_of_each_owner(tmp_path: Path) -> None:
    one, other = halves()
    rows = len(next(iter(one.values())))
    more = {f"x{k}": np.random.default_rng(k).normal(size=rows).round(3) for k in range(rows // 5 + 3)}
    made, scenario = make(tmp_path, one, other | more, asked=Options(target="dose"))
    owners = [owner["features"] for owner in scenario["parties"].values() if "features" in owner]
    assert sum(map(len, owners)) == plans(made) < len(more) and all(owners)


@pytest.mark.parametrize("owners", [2, 3])
def test_a_feature_of_which_a_value_is_rare_is_left_out(tmp_path: Path, owners: int) -> None:
    """Else the run that was proposed ends before anything is opened: min_cell is written, too."""
    tables = [columns(seed=k, rare=[1] * 1 + [0] * 39, usual=[0, 1] * 20) for k in range(owners)]
    made, scenario = make(tmp_path, *tables, asked=Options(target="dose"))
    assert scenario["task"]["features"] == ["age", "ill", "usual"] and scenario["task"]["min_cell"] == 5
    assert "rare (a value has fewer than 5 rows besides some owner's own)" in told(made, "left out")
    with pytest.raises(DataError, match="the target 'ill' has a value with 1 to 4 rows"):
        make(tmp_path / "target", *(columns(seed=k, ill=[1] * 1 + [0] * 39) for k in range(owners)))


def test_what_the_lines_for_weights_and_an_offset_say_holds(tmp_path: Path) -> None:
    """Who takes the # away, and names columns that are no features any more, has a scenario with them."""
    more: dict[str, Any] = {"visits": [1, 2, 4, 5] * 10, "usual": [0.5, 0.25] * 20}
    made, _ = make(tmp_path, columns(**more), columns(seed=1, **more), asked=Options(target="dose"))
    text = made.path.read_text(encoding="utf-8")
    for line, name in (('# weights = "measurements"', "visits"), ('# offset = "expected"', "usual")):
        assert text.count(line) == 1
        text = text.replace(line, f'{line[2:].split("=")[0]}= "{name}"').replace(f'"{name}",', "", 1)
        text = text.replace(f'    "{name}"\n', "", 1)
    made.path.write_text(text, encoding="utf-8")
    settings, _ = planned(load_scenario(made.path))
    assert settings.weighted and settings.offset
    assert tomllib.loads(text)["task"]["features"] == ["age", "ill"]


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    made, _ = make(tmp_path, *TWO)
    before = made.path.read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        make(tmp_path, *TWO)
    with pytest.raises(UsageError, match="is there already"):
        new_scenario(tmp_path / "study", [], NO_CHOICE)
    assert made.path.read_bytes() == before

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "made_up_b.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"made_up_b\.csv is there already"):
        new_scenario(tmp_path / "other", [], NO_CHOICE)
    assert os.listdir(tmp_path / "other") == ["made_up_b.csv"]


def test_files_that_are_not_there_or_named_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", columns())
    with pytest.raises(UsageError, match=r"there is no file .*b\.csv"):
        new_scenario(tmp_path / "study", [path, tmp_path / "b.csv"], NO_CHOICE)
    (tmp_path / "link.csv").symlink_to(path)
    with pytest.raises(UsageError, match="is named twice"):
        new_scenario(tmp_path / "study", [path, tmp_path / "link.csv"], NO_CHOICE)
    with pytest.raises(UsageError, match="it is, or is in, a file"):
        new_scenario(path, [], NO_CHOICE)
    with pytest.raises(UsageError, match="no file is named"):
        new_scenario(tmp_path / "study", [], Options(target="ill"))
    (tmp_path / "b.csv").write_bytes(b"\x00\x01\x02")
    with pytest.raises(DataError, match=r"b\.csv: this is not a text file"):
        new_scenario(tmp_path / "study", [path, tmp_path / "b.csv"], NO_CHOICE)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("name", ["id", "ID", "patient", "Patient ID", "patient_id", "PatientId", "MRN", "case-id"])
def test_names_of_ids(name: str) -> None:
    assert is_named_like_id(name)


@pytest.mark.parametrize("name", ["acid", "uric_acid", "covid", "width", "age", "inpatient_days", "hiding"])
def test_names_of_measurements(name: str) -> None:
    assert not is_named_like_id(name)
