"""What is printed at the end of a run, from the record of a real one."""

from __future__ import annotations

import copy
import io
import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mpc.errors import PeerLostError
from parties.report.record import failed_record, merge_results
from parties.report.summary import (
    plan_differences,
    print_summary,
)
from parties.show.blocks import bytes_text, seconds_text, short_bytes, to_digits
from parties.tasks.logistic.show import accuracy_text, odds_text, ranked_weights
from protocols.plain import logistic as reference
from tests.helpers import ROOT, example_tables, job, train


@lru_cache
def _record() -> dict[str, Any]:
    own, settings = job(example_tables((60, 45), 7, seed=3), epochs=2, batch_size=32)
    outcome = train(own, settings)
    trained, plan = outcome.results["owner0"], outcome.plan
    model = {
        "features": list(trained.features),
        "weights": list(trained.weights),
        "intercept": trained.intercept,
        "standardised_weights": list(trained.standardised[:-1]),
        "standardised_intercept": trained.standardised[-1],
    }
    revealed = [{"what": r.what, "to": list(r.to), "shape": list(r.shape), "why": r.why} for r in outcome.reveals]
    results = {}
    for place, name in enumerate((*plan.owners, plan.helper)):
        owner = name != plan.helper
        results[name] = {
            "party": {
                "role": "owner" if owner else "helper",
                "pid": 4000 + place,
                "rounds": len(plan.rounds) if owner else 0,
                "bytes_sent": plan.bytes_sent[name],
                "bytes_received": 1234567,
                "messages": plan.messages_sent[name],
                "seconds": {"connect": 0.01, "setup": 0.02, "online": 0.25, "training": 0.125, "total": 1.5 + place},
            },
            "session": "abc",
            "plan": {
                "digest": plan.digest,
                "rounds": len(plan.rounds),
                "bytes": plan.bytes_sent,
                "messages": plan.messages_sent,
                "correlations": plan.correlations,
            },
            "model": model if owner else None,
            "metrics": trained.metrics if owner else None,
            "revealed": revealed if owner else [],
        }
    record = merge_results(results, kind="logistic_regression", scenario_name="small pair", scenario_digest="d1")
    return {**record, "comparison": reference.comparison(own, settings, trained)}


def real_record() -> dict[str, Any]:
    """The record of a training that ran, to be changed at will."""
    return copy.deepcopy(_record())


def plain(record: dict[str, Any], out: Path = Path("runs/x"), width: int = 100) -> str:
    """What is printed where there is no terminal."""
    file = io.StringIO()
    print_summary(record, out, Console(file=file, width=width, color_system=None))
    return file.getvalue()


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_the_largest_weights_are_shown_first() -> None:
    record = real_record()
    text = plain(record)
    model = record["model"]
    by_size = sorted(zip(model["features"], model["standardised_weights"], strict=True), key=lambda one: -abs(one[1]))
    assert [name for name, _, _ in ranked_weights(record)] == [name for name, _ in by_size]
    shown = re.findall(r"^x\d", text, re.MULTILINE)
    assert shown == [name for name, _ in by_size[:5]]
    assert "All 7 weights are in result.json." in text


def test_weights_that_were_not_standardised_are_not_called_so() -> None:
    record = real_record()
    record["model"]["standardised_weights"] = record["model"]["weights"]
    assert "standard deviation" not in plain(record).split("What it cost")[0]
    del record["model"]["standardised_weights"]
    record["training"] = {"solver": "newton", "converged": True}
    text = plain(record)
    assert "odds ratio per unit" in text and "odds ratio per s.d." not in text
    assert "their sizes cannot be compared with each other" in text.replace("\n", " ")


def test_weights_beside_the_optimum_have_no_odds_ratios() -> None:
    record = real_record()
    record["training"] = {"solver": "sgd", "converged": None}
    assert "Mini-batches end near the optimum" in plain(record) and "odds ratio" not in plain(record)
    record["training"] = {"solver": "newton", "converged": False}
    assert "NOT CONVERGED" in plain(record) and "odds ratio" not in plain(record)
    record["training"]["converged"] = True
    assert "CONVERGED" not in plain(record) and "odds ratio per s.d." in plain(record)


@pytest.mark.parametrize("width", [80, 100])
def test_plain_text_is_plain_and_fits(width: int) -> None:
    record = real_record()
    record["testing"] = {"owner0": {"insecure_seed": 3}}
    text = plain(record, width=width)
    assert text.isascii()
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= width
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_a_terminal_gets_colour() -> None:
    file = io.StringIO()
    print_summary(real_record(), Path("x"), Console(file=file, width=100, force_terminal=True, color_system="standard"))
    assert "\x1b[1m" in file.getvalue()


def test_without_a_terminal_output_is_plain() -> None:
    code = (
        "from pathlib import Path; from parties.report.summary import print_summary; "
        "print_summary({'status': 'ok', 'scenario': {'name': 'caf\\u00e9'}}, Path('x'))"
    )
    environment = {"FORCE_COLOR": "1", "COLUMNS": "30", "PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True, cwd=ROOT)
    assert done.stderr == b""
    assert done.stdout.startswith(b"caf\\xe9: done. ")


def test_a_reader_that_went_away_is_no_error() -> None:
    code = "from pathlib import Path; from parties.report.summary import print_summary; print_summary({}, Path('x'))"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run([sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_test_seed_is_warned_of_loudly() -> None:
    record = real_record()
    record["testing"] = {"owner0": {"insecure_seed": 3}, "helper": {"insecure_seed": 3}}
    assert "WARNING: THIS RUN PROTECTED NOTHING" in plain(record)
    assert "owner0, helper" in plain(record)
    record["testing"] = {"owner0": {"insecure_seed": None}}
    assert "WARNING" not in plain(record)


def test_what_was_not_as_planned_is_said() -> None:
    record = real_record()
    planned = record["plan"]["bytes"]["owner0"]
    record["parties"]["owner0"]["bytes_sent"] += 1
    record["parties"]["owner1"]["rounds"] = 3
    assert plan_differences(record) == [
        f"owner0 bytes sent {planned + 1:,}, planned {planned:,}",
        f"owner1 rounds 3, planned {record['plan']['rounds']}",
    ]
    text = plain(record)
    assert "NOT AS PLANNED: owner0 bytes sent" in text
    assert "were as planned" not in text


def test_what_is_missing_is_left_out() -> None:
    record = real_record()
    del record["comparison"]
    text = plain(record)
    assert "together" in text
    assert "alone" not in text.lower()
    assert "difference" not in text

    record["metrics"] = None
    assert "metrics were not asked for" in plain(record)

    record = real_record()
    record["metrics"]["test"]["auc"] = None
    assert line_of(plain(record), "together").split()[-3] == "-"

    record = real_record()
    record["comparison"]["pooled"]["max_abs_weight_difference"] = float("nan")
    assert "the plaintext training diverged" in plain(record)


def test_without_held_out_rows_the_training_rows_are_shown() -> None:
    record = real_record()
    for sets in (record["metrics"], record["comparison"]["pooled"], *record["comparison"]["alone"].values()):
        del sets["test"]
    text = plain(record)
    assert "on training rows" in text
    assert "Alone: on that owner's own training rows." in text


def test_one_party_of_several() -> None:
    whole = real_record()
    owner = {**whole, "parties": {"owner1": whole["parties"]["owner1"]}}
    del owner["comparison"]
    text = plain(owner)
    assert "as planned" in text
    assert "owner0, owner1" in text.split("What was revealed")[1]

    helper = {**owner, "parties": {"helper": whole["parties"]["helper"]}, "model": None, "metrics": None}
    text = plain({**helper, "revealed": []})
    assert "A helper is told neither the model nor how good it is." in text
    assert "What was revealed" not in text


def test_a_failed_run(tmp_path: Path) -> None:
    error = PeerLostError("hospital_b was lost in 'training'", "start it again", party="hospital_b")
    text = plain(failed_record(error, scenario_name="demo", scenario_digest="d"), tmp_path)
    assert text.splitlines()[:3] == [
        "demo: FAILED. hospital_b was lost in 'training'",
        "What to do: start it again",
        "Kind of error: peer-lost, about hospital_b",
    ]
    assert "as planned" not in text


def test_a_record_of_nothing_is_no_traceback() -> None:
    records: list[dict[str, Any]] = [
        {},
        {"status": "ok"},
        {"status": "ok", "parties": [], "model": 3, "metrics": "x", "revealed": {}},
    ]
    for record in records:
        assert "result.json" in plain(record)


def test_names_cannot_act_on_the_terminal() -> None:
    record = real_record()
    record["model"]["features"][0] = "x\x1b[31m[bold]y[/bold]"
    record["model"]["standardised_weights"][0] = 99.0
    text = plain(record)
    assert "\x1b" not in text
    assert "[bold]y[/bold]" in text


def test_the_report_is_named_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    deep = tmp_path / ("d" * 120)
    assert f"Report: {tmp_path / 'report.html'}\n" in plain(real_record(), tmp_path)
    # A path is not broken over lines: it is to be copied.
    assert f"Record: {deep / 'result.json'}\n" in plain(real_record(), deep)


def test_numbers_read_well() -> None:
    assert [short_bytes(n) for n in (0, 999, 1000, 999_499, 999_500, 3_381_884)] == [
        "0 B", "999 B", "1 kB", "999 kB", "1 MB", "3.38 MB",
    ]  # fmt: skip
    assert bytes_text(728232) == "728,232 (728 kB)"
    assert bytes_text(16) == "16"
    assert bytes_text(None) == bytes_text(True) == "-"
    assert [seconds_text(s) for s in (0.0123, 9.99, 123.456, float("nan"))] == ["0.012", "9.990", "123.5", "-"]
    assert [to_digits(v) for v in (1.7, 0.0, 1234.0, -0.000123456, None)] == [
        "1.700", "0.000", "1234", "-0.0001235", "-",
    ]  # fmt: skip
    assert [odds_text(w) for w in (0.0, 800.0, -800.0, None)] == ["1.00", "> 1e300", "< 1e-300", "-"]
    assert accuracy_text({"accuracy": 0.5}) == "50.0 %"
    assert accuracy_text({"accuracy": None}) == "-"
