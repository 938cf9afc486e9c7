"""What a record says that it is of: enough to find a flipped outcome, and to do the same again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import ProtocolError
from parties.base.events import describe_error, error_from
from parties.base.version import VERSION
from parties.report.about import about
from parties.report.about_text import about_facts
from parties.report.page import report_html
from parties.report.summary import summary_blocks
from parties.tasks.coefficients import MEAN_NOTE, inference_grid
from parties.tasks.registry import load_any
from tests.helpers import ROOT
from tests.parties.report.test_page import Page, rows_of
from tests.parties.report.test_summary import plain, real_record

SCENARIOS = ROOT / "scenarios"


def changed(tmp_path: Path, name: str, *changes: tuple[str, str]) -> dict[str, Any]:
    text = (SCENARIOS / f"{name}.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "study.toml"
    path.write_text(text)
    return about(load_any(path))


def test_a_flipped_outcome_can_be_found(tmp_path: Path) -> None:
    usual = changed(tmp_path, "two_hospitals")
    flipped = changed(tmp_path, "two_hospitals", ('target = "malignant"', 'target = "malignant"\npositive = "no"'))
    assert usual["outcome"] == {"column": "malignant", "positive": "1, yes or true"}
    assert flipped["outcome"] == {"column": "malignant", "positive": "no"}
    record = {**real_record(), "about": flipped}
    assert "Outcome: malignant, where no counts as 1." in plain(record)
    assert "malignant, where no counts as 1" in Page(report_html(record)).text
    assert rows_of(Page(report_html({**record, "about": usual})), "")[1][0] == "malignant 1"


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_it_says_what_the_run_was_and_holds_no_path(path: Path) -> None:
    scenario = load_any(path)
    found = about(scenario)
    assert found["kind"] == scenario.task.kind
    assert found["version"] == VERSION
    agreed = scenario.agreement()
    assert {**found["settings"], "parties": agreed["parties"]} == agreed
    assert list(found["settings"]["parties"]) == list(agreed["parties"])
    assert found["started"].endswith("Z")
    text = json.dumps(found)
    assert ".csv" not in text and ".parquet" not in text and ".duckdb" not in text and str(path.parent) not in text


def test_it_names_no_address_and_no_key(tmp_path: Path) -> None:
    """A record may be published, and who reads it need not know where hospitals listen."""
    where = 'role = "helper"\naddress = "10.1.2.3:7101"\npublic_key = "0123456789"'
    found = changed(tmp_path, "two_hospitals", ('role = "helper"', where))
    assert found["settings"]["parties"]["helper"]["role"] == "helper"
    assert "10.1.2.3" not in json.dumps(found) and "0123456789" not in json.dumps(found)


def test_reference_levels_and_missing_values_are_told(tmp_path: Path) -> None:
    found = changed(tmp_path, "hips_linear", ('missing = "drop"', 'missing = "mean"'))
    assert found["reference_levels"] == {"smoker": "never", "sex": "f"}
    assert found["outcome"]["positive"] is None
    facts = about_facts({"about": found, "parties": {"a": {"rows_excluded": 3}, "b": {"rows_excluded": 1}}})
    assert facts["Reference levels"] == "smoker = never, sex = f"
    assert facts["Missing values"] == "replaced by the mean of their owner's rows"
    assert facts["Rows excluded"] == "a 3 rows; b 1 row"
    assert facts["Kind"] == "linear regression"


INFERENCE = [
    {
        "feature": "age",
        "coefficient": 0.5,
        "se": 0.1,
        "z": 5.0,
        "p": 1e-6,
        "odds_ratio": 1.6487,
        "low": 0.3,
        "high": 0.7,
    }
]
FIT = {"rows": 100, "events": 40, "log_likelihood": None}


def test_an_odds_ratio_stands_beside_its_own_interval() -> None:
    grid = inference_grid({"inference": INFERENCE})
    assert grid is not None
    assert grid.columns[-3:] == ("odds ratio", "95 % from", "to")
    assert grid.rows[0][-3:] == ("1.65", "1.35", "2.01")
    wide = inference_grid({"inference": INFERENCE}, wide=True)
    assert wide is not None
    assert wide.rows[0][5:7] == ("0.300", "0.700")
    assert wide.rows[0][-3:] == ("1.65", "1.35", "2.01")


@pytest.mark.parametrize("missing", ["mean", "drop"])
def test_means_for_missing_values_are_told_beside_p_values(missing: str) -> None:
    record = {**real_record(), "inference": INFERENCE, "fit": FIT}
    record["about"] = {"kind": "logistic_regression", "missing": missing}
    text = " ".join(plain(record).split())
    assert (MEAN_NOTE in text) == (missing == "mean")
    assert "100 training rows, 40 with the outcome" in text


def test_held_out_rows_are_spoken_of_only_where_there_are_some() -> None:
    record = real_record()
    assert "Held-out rows took no part" in Page(report_html(record)).text
    for sets in (record["metrics"], record["comparison"]["pooled"], *record["comparison"]["alone"].values()):
        sets.pop("test", None)
    page = Page(report_html(record)).text
    assert "eld-out" not in page
    assert "No rows were held out" in page


def test_a_helpers_record_of_statistics_speaks_of_no_weights() -> None:
    record = real_record() | {"model": None, "metrics": None, "comparison": None, "kind": "statistics"}
    record |= {"revealed": [], "parties": {"helper": record["parties"]["helper"]}}
    page, text = Page(report_html(record)).text, plain(record)
    for shown in (page, text):
        assert "A helper is told nothing of the result." in shown
        assert "weight" not in shown and "metrics" not in shown


def test_what_owners_find_together_is_pinned_on_none() -> None:
    error = ProtocolError("a score left its range", "raise it", joint=True)
    fields = {**describe_error(error), "joint": True}
    back = error_from(fields, reporter="hospital_b")
    assert (back.message, back.party, back.joint) == ("a score left its range", None, True)
    alone = error_from({**fields, "joint": False}, reporter="hospital_b")
    assert (alone.message, alone.party) == ("hospital_b: a score left its range", "hospital_b")


def test_a_record_that_does_not_say_is_shown_as_before() -> None:
    assert not any("Outcome" in getattr(block, "text", "") for block in summary_blocks(real_record(), Path("x")))
