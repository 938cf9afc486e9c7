"""A whole audit of a record that was changed, or cut short, after it was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import UsageError
from parties.audit.attack import Audited
from parties.audit.conduct import attacks_named, conduct
from parties.report.record import record_of
from parties.session.lockstep import run_in_one_thread
from parties.tasks.statistics.audit import AUDIT
from tests.parties.audit.counts.test_differencing import study

Damage = Callable[[dict[str, Any]], object]

DAMAGES: dict[str, Damage] = {
    "no statistics": lambda record: record.pop("statistics"),
    "no rows": lambda record: record["statistics"].pop("rows"),
    "rows in words": lambda record: record["statistics"].update(rows="many"),
    "no columns": lambda record: record["statistics"].update(columns=None),
    "another column": lambda record: record["statistics"]["columns"].update(height=[{"count": 3}]),
    "more cells": lambda record: record["statistics"]["tables"][0]["groups"][0].update(counts=[[1] * 9] * 9),
    "odd noise": lambda record: record.update(privacy={"noise": {"deviation": "much"}}),
}


def test_a_damaged_record_is_told_as_such(tmp_path: Path) -> None:
    scenario = study(tmp_path)
    text = json.dumps(record_of(scenario, run_in_one_thread(scenario)))
    attacks = attacks_named(["reconstruction", "differencing"])
    assert len(conduct(Audited(scenario, AUDIT, json.loads(text)), attacks)["found"]) == 2
    for how, damage in DAMAGES.items():
        record = json.loads(text)
        damage(record)
        with pytest.raises(UsageError, match="does not hold what a run of"):
            pytest.fail(f"{how}: {conduct(Audited(scenario, AUDIT, record), attacks)}")
