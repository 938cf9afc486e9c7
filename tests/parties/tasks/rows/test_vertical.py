"""Columns split over owners: each reads its own, in one common order; and the settings that go with that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc.errors import DataError, UsageError
from parties.data.table import Table, load_owner_table
from parties.data.vertical import digest_bits
from parties.scenario.file import Scenario
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.registry import load_scenario, planned
from parties.tasks.rows.extent import extent_from_here
from parties.tasks.rows.regression import own_columns, split_of
from tests.helpers import FEW

HEAD = 'schema = 1\nname = "v"\n'
A = '[parties.a]\nrole = "owner"\ndata = "a.csv"\n'
B = '[parties.b]\nrole = "owner"\ndata = "b.csv"\n'
HELPER = '[parties.helper]\nrole = "helper"\n'
TASK = '[task]\nkind = "logistic_regression"\npartition = "vertical"\ntarget = "ill"\nid = "who"\nreveal = ["model"]\n'
TWO_TARGETS = "dose,who,ill\n2.5,P2,1\n10.5,P10,0\n1.5,P1,0\n3.5,P3,1\n4.5,P4,0\n"
STAGES = "dose,who,stage\n2.5,P2,I\n10.5,P10,II\n1.5,P1,III\n3.5,P3,I\n4.5,P4,I\n"
A_CSV = "who,age,ill\nP3,30,1\np1,10,0\nP2,20,1\nP10,100,0\nP4,40,0\n"
B_CSV = "dose,who,size\n2.5,P2,7\n10.5,P10,8\n1.5,P1,9\n3.5,P3,1\n4.5,P4,2\n"


def scenario(
    folder: Path, a: str = A, b: str = B, task: str = TASK, *, files: tuple[str, str] = (A_CSV, B_CSV)
) -> Scenario:
    for name, content in zip("ab", files, strict=True):
        (folder / f"{name}.csv").write_text(content)
    (folder / "v.toml").write_text((HEAD + a + b + HELPER + task).replace("[task]\n", f"[task]\n{FEW}"))
    return load_scenario(folder / "v.toml")


def tables(made: Scenario) -> dict[str, Table]:
    return {owner: load_owner_table(made, owner) for owner in made.owners}


def refused(folder: Path, a: str = A, b: str = B, task: str = TASK) -> str:
    with pytest.raises(UsageError) as caught:
        scenario(folder, a, b, task)
    return f"{caught.value.message}; {caught.value.hint}"


def test_rows_are_sorted_by_id_whatever_their_case_and_order(tmp_path: Path) -> None:
    found = tables(scenario(tmp_path))
    assert found["a"].ids == found["b"].ids == ("p1", "p10", "p2", "p3", "p4")
    assert found["a"].values[:, 0].tolist() == [10, 100, 20, 30, 40]
    assert found["b"].values[:, 0].tolist() == [1.5, 10.5, 2.5, 3.5, 4.5]
    assert found["a"].target.tolist() == [0, 0, 1, 1, 0]
    assert (found["a"].columns, found["b"].columns) == (("age",), ("dose", "size"))
    assert found["a"].has_target and not found["b"].has_target


def test_numbers_and_texts_are_the_same_ids(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"who": [9, 10, 3, 4, 5], "dose": [9.0, 10.0, 3.0, 4.0, 5.0]}), tmp_path / "b.parquet")
    made = scenario(
        tmp_path, b=B.replace("b.csv", "b.parquet"), files=("who,age,ill\n10,1,0\n9,2,1\n5,3,1\n4,4,1\n3,5,0\n", B_CSV)
    )
    found = tables(made)
    assert found["a"].ids == found["b"].ids == ("10", "3", "4", "5", "9")
    assert found["b"].values[:, 0].tolist() == [10, 3, 4, 5, 9]


def test_own_columns_are_cut_at_the_same_rows_everywhere(tmp_path: Path) -> None:
    made = scenario(tmp_path)
    found = tables(made)
    split = split_of(found)
    own = {owner: own_columns(table, made, split, b"key") for owner, table in found.items()}
    assert split.target_owner == "a" and split.count == 3
    assert own["a"].x_train[:, 0].tolist() == [10 * round(v - 0.5) for v in own["b"].x_train[:, 0]]
    assert own["a"].y_train.size == len(own["b"].x_train) == 4 and own["b"].y_train.size == 0
    np.testing.assert_array_equal(own["a"].ids, own["b"].ids)
    assert not (own["a"].ids == digest_bits(b"other key", found["a"].ids)).all()


@pytest.mark.parametrize(
    ("one", "other"), [(("ab", "c"), ("a", "bc")), (("a",), ("a", "")), (("a", "b"), ("b", "a")), (("a",), ("b",))]
)
def test_lists_that_differ_have_different_digests(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (digest_bits(b"k", one) != digest_bits(b"k", other)).any()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (B_CSV + "9,P4,3\n", "the id column 'who' repeats"),
        (B_CSV + "9,p4,3\n", "the id column 'who' repeats"),
        (B_CSV + "9,,3\n", "the id column 'who' is empty in 1 row"),
        (B_CSV.replace("dose,who", "dose,whom"), "there is no column 'who' (the id)"),
        ("who\nP1\nP2\nP3\nP4\nP10\n", "there is no numeric column"),
    ],
)
def test_a_table_that_does_not_do_is_refused(tmp_path: Path, content: str, words: str) -> None:
    made = scenario(tmp_path, files=(A_CSV, content))
    with pytest.raises(DataError) as caught:
        load_owner_table(made, "b")
    assert words in caught.value.message
    assert "P4" not in caught.value.message and "p4" not in caught.value.message


def test_an_owner_may_have_the_target_alone(tmp_path: Path) -> None:
    made = scenario(tmp_path, files=("who,ill\nP1,0\nP2,1\nP3,1\nP4,0\nP10,0\n", B_CSV))
    assert load_owner_table(made, "a").columns == ()
    assert planned(made)[0].features == 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((A_CSV, TWO_TARGETS), "a and b have the target"),
        ((A_CSV.replace("ill", "sick"), B_CSV), "no owner has the target"),
        ((A_CSV, B_CSV + "9,P5,3\n"), "the owners have different numbers of rows: a 5, b 6"),
    ],
)
def test_what_only_all_owners_together_show_is_found_by_the_plan(
    tmp_path: Path, files: tuple[str, str], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        planned(scenario(tmp_path, files=files))


def test_each_owner_may_list_its_features_and_has_its_categories(tmp_path: Path) -> None:
    levels = '[task.categories]\nstage = ["I", "II", "III"]\n'
    listed = A + 'features = ["age"]\n', B + 'features = ["stage"]\n'
    made = scenario(tmp_path, *listed, TASK + levels, files=(A_CSV, STAGES))
    found = tables(made)
    assert (found["a"].columns, found["b"].columns) == (("age",), ("stage=II", "stage=III"))
    assert planned(made)[0].features == 3
    free = tables(scenario(tmp_path, task=TASK + levels, files=(A_CSV, STAGES)))
    assert (free["a"].columns, free["b"].columns) == (("age",), ("dose", "stage=II", "stage=III"))


def test_a_plan_needs_no_data_where_rows_and_features_are_stated(tmp_path: Path) -> None:
    stated = 'rows = 50\nfeatures = ["u", "v"]\n'
    made = scenario(tmp_path, '[parties.a]\nrole = "owner"\n' + stated, '[parties.b]\nrole = "owner"\n' + stated)
    settings, plan = planned(made)
    assert (settings.features, settings.rows_by_owner) == (4, {"a": (40, 10), "b": (40, 10)})
    assert plan.rounds
    assert extent_from_here(made, None).exact
    with pytest.raises(UsageError, match="does not state its rows and features"):
        planned(scenario(tmp_path, '[parties.a]\nrole = "owner"\nrows = 5\n'))


def test_one_owners_table_tells_the_rows_of_all(tmp_path: Path) -> None:
    made = scenario(tmp_path)
    extent = extent_from_here(made, load_owner_table(made, "b"))
    assert (extent.features, extent.exact, extent.rows) == (4, False, {"a": 5, "b": 5})
    assert extent.assumption == "all owners together had 4 columns"
    assert extent_from_here(made, None).features is None


def test_different_rows_cannot_be_planned(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="different numbers of rows: a 5, b 6"):
        settings_for(scenario(tmp_path), {"a": (4, 1), "b": (5, 1)}, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('id = "who"\n', ""), "needs `id`"),
        (('id = "who"', 'id = "who"\nfeatures = ["age"]'), "features is for owners with the same columns"),
        (('id = "who"', 'id = "who"\nmissing = "drop"'), 'missing = "drop" cannot go with partition = "vertical"'),
        (('id = "who"', 'id = "who"\ncompare_ranges = true'), "compare_ranges is for owners with the same columns"),
        (
            ('["model"]', '["model", "missing"]\nmissing = "mean"'),
            'reveal = ["missing"] is not available with partition',
        ),
        (('id = "who"', 'id = "who"\nstandardise = "private"'), 'standardise = "private" is for owners with the same'),
        (('"vertical"', '"diagonal"'), 'partition must be "horizontal" or "vertical"'),
    ],
)
def test_settings_that_do_not_go_with_split_columns(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    said = refused(tmp_path, task=TASK.replace(*change))
    assert words in said
    assert "problems" not in said, "one mistake is one problem"


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ('features = ["age", "ill"]\n', "[parties.a] features lists the target 'ill'"),
        ('features = ["who"]\n', "[parties.a] features lists the id 'who'"),
        ('features = ["age", "age"]\n', "[parties.a] features lists 'age' more than once"),
        ("rows = 7\n", "the owners have different rows (a 7 and b 8)"),
    ],
)
def test_an_owners_settings_that_do_not_do(tmp_path: Path, listed: str, words: str) -> None:
    assert words in refused(tmp_path, A + listed, B + "rows = 8\n")


def test_categories_that_no_owner_lists(tmp_path: Path) -> None:
    levels = '[task.categories]\nstage = ["I", "II"]\n'
    said = refused(tmp_path, A + 'features = ["age"]\n', B + 'features = ["dose"]\n', TASK + levels)
    assert "[task.categories] names 'stage', which no owner lists" in said


def test_owners_with_the_same_columns_list_them_once(tmp_path: Path) -> None:
    said = refused(tmp_path, A + 'features = ["age"]\n', task=TASK.replace("vertical", "horizontal"))
    assert "[parties.a] has features, but all owners have the same columns" in said
