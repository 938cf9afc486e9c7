"""`kind = "mantel_haenszel"`: the estimate beside statsmodels, by the command; a stratum with a small cell ends it."""

from __future__ import annotations

import json
import random
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mpc.errors import UsageError
from parties.tasks.mantel_haenszel.pooled import pooled_odds_ratio
from parties.tasks.registry import load_scenario
from tests.run.command import mpc, record

TASK = """schema = 1
name = "strata"
parties.a = { role = "owner", data = "a.csv" }
parties.b = { role = "owner", data = "b.csv" }
parties.helper = { role = "helper" }

[task]
kind = "mantel_haenszel"
exposure = "smoker"
outcome = "infected"
strata = "age"

[task.categories]
smoker = ["no", "yes"]
infected = ["0", "1"]
age = ["young", "middle", "old"]
"""


@given(arrays(np.int64, st.tuples(st.integers(2, 6), st.just(2), st.just(2)), elements=st.integers(1, 400)))
def test_estimate_and_tests_are_those_of_statsmodels(tables: np.ndarray) -> None:
    from statsmodels.stats.contingency_tables import StratifiedTable

    found, theirs = pooled_odds_ratio(tables), StratifiedTable([table.astype(float) for table in tables])
    assume(abs(theirs.oddsratio_pooled - 1) > 1e-3)  # there their solution divides by nearly 0
    low, high = theirs.oddsratio_pooled_confint()
    null, equal = theirs.test_null_odds(), theirs.test_equal_odds()
    expected = [theirs.oddsratio_pooled, theirs.logodds_pooled_se, low, high, null.statistic, null.pvalue]
    expected += [equal.statistic, len(tables) - 1, equal.pvalue]
    assert np.allclose(np.array(astuple(found), dtype=float), expected, rtol=1e-6, atol=1e-9)


def test_strata_that_say_nothing_have_no_part() -> None:
    told = np.array([[[20, 30], [10, 40]], [[9, 11], [8, 12]]])
    silent = np.array([[[0, 7], [0, 9]], [[5, 6], [0, 0]], [[0, 0], [0, 0]]])
    assert pooled_odds_ratio(np.concatenate([told, silent])) == pooled_odds_ratio(told)
    nothing = pooled_odds_ratio(silent)
    assert (nothing.odds_ratio, nothing.chi_square, nothing.breslow_day_df) == (None, None, 0)


def written(folder: Path, few: int) -> np.ndarray:
    """Two owners' rows; `few` old smokers of b are infected. The pooled counts, exposed and event first."""
    source = random.Random(8)
    tables = np.zeros((3, 2, 2), dtype=int)
    for owner in ("a", "b"):
        lines = ["smoker,infected,age"]
        for stratum, age in enumerate(("young", "middle", "old")):
            for exposed in (True, False):
                for event in (True, False):
                    count = source.randint(8, 30)
                    if (owner, age, exposed, event) == ("b", "old", True, True):
                        count = few
                    lines += [f"{'yes' if exposed else 'no'},{int(event)},{age}"] * count
                    tables[stratum, int(not exposed), int(not event)] += count
        (folder / f"{owner}.csv").write_text("\n".join(lines) + "\n")
    (folder / "study.toml").write_text(TASK)
    return tables


def test_a_run_tells_all_owners_the_estimate(tmp_path: Path) -> None:
    tables = written(tmp_path, few=9)
    ran = mpc("run", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    part = record(tmp_path / "out")["mantel_haenszel"]
    assert [one["counts"] for one in part["strata"]] == tables.tolist()
    expected = pooled_odds_ratio(tables)
    assert part["estimate"]["odds_ratio"] == pytest.approx(expected.odds_ratio)
    assert f"Pooled odds ratio {part['estimate']['odds_ratio']:.4g}"[:22] in ran.out
    assert "Breslow-Day test of one odds ratio in all strata: chi-square" in ran.out
    assert "as planned, exactly" in ran.out


def test_a_stratum_with_a_small_cell_ends_it_without_estimate(tmp_path: Path) -> None:
    """Of b's patients 3 were in one cell: a would know them from the table, and nearly from the estimate."""
    written(tmp_path, few=3)
    ran = mpc("run", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    part = record(tmp_path / "out")["mantel_haenszel"]
    assert part["strata"][2] == {"level": "old", "counts": None}
    assert part["estimate"] is None
    assert "No estimate: too few rows in a cell of old." in ran.out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('strata = "age"', 'strata = "smoker"'), "names one column twice"),
        (
            ('age = ["young"', 'ages = ["young"'),
            "must list the levels of 'smoker', 'infected' and 'age', and no others",
        ),
        ((TASK[TASK.index("[task.categories]") :], "categories = {}"), "and no others; it lists none"),
        (('infected = ["0", "1"]', 'infected = ["0", "1", "2"]'), "infected must have two levels"),
        (('strata = "age"', 'strata = "age"\nmin_cell = 2'), "min_cell = 2 would tell nearly"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(TASK.replace(*change))
    with pytest.raises(UsageError) as caught:
        load_scenario(path)
    assert words in str(caught.value)


def test_the_plan_is_made_from_stated_rows(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(TASK.replace('data = "a.csv"', "rows = 100").replace('data = "b.csv"', "rows = 200"))
    ran = mpc("plan", path, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["strata"] == 3
