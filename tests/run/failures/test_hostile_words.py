"""Words of a scenario or a table that a terminal, a log or a page would act on, by the command."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.run.apart import party, separate
from tests.run.command import Ran, mpc
from tests.run.scenarios import write_scenario

ESCAPE = "outcome\x1b[31m\nhospital_a: approved\u202e"
"""As a target's name: it coloured the terminal and wrote a line of its own."""

FORGED = "extra\n2027-01-01 00:00:00,000 INFO approved"
"""As a column's name: it wrote a line of its own into a log."""

RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?:INFO|WARNING|ERROR) ")


def hostile(scenario: Path) -> Path:
    """The scenario and its tables, with such names in them."""
    scenario.write_text(scenario.read_text().replace('"outcome"', json.dumps(ESCAPE)))
    for place, name in enumerate(("hospital_a", "hospital_b")):
        path = scenario.parent / f"{name}.csv"
        head, *rows = path.read_text().splitlines()
        first = f'"{FORGED}",' if place == 0 else ""
        head = first + head.replace("outcome", f'"{ESCAPE}"')
        path.write_text("\n".join([head, *(f"1,{row}" if first else row for row in rows)]) + "\n")
    return scenario


def check(ran: Ran) -> None:
    """That each line is one that we wrote, of what can be printed."""
    for line in (ran.out + ran.err).split("\n"):
        assert line.isprintable(), ascii(line)
        assert not line.startswith("hospital_a: approved")


def test_a_run_shows_them_as_they_are_written(tmp_path: Path) -> None:
    scenario = hostile(write_scenario(tmp_path))
    check(mpc("plan", scenario))
    ran = mpc("run", scenario, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    check(ran)
    files = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}
    assert {"result.json", "report.html", "hospital_a.log"} <= files.keys()
    for name, text in files.items():
        assert all(letter.isprintable() or letter == "\n" for letter in text), name
    assert r"extra\n2027-01-01" in files["hospital_a.log"]
    assert all(RECORD.match(line) for line in files["hospital_a.log"].splitlines()), files["hospital_a.log"]


def test_consent_and_doctor_show_them_as_they_are_written(tmp_path: Path) -> None:
    scenario = hostile(separate(tmp_path))
    ran = mpc(*party(scenario, "hospital_b"))
    assert ran.code == 2 and r"outcome\x1b[31m\nhospital_a: approved\u202e" in ran.out.replace("\n ", "")
    check(ran)
    check(mpc("doctor", scenario))
    check(mpc("doctor", scenario, "--as", "hospital_b", "--keys", tmp_path / "keys", "--seconds", "3"))


def test_an_error_shows_them_as_they_are_written(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path)
    scenario.write_text(scenario.read_text().replace('"outcome"', json.dumps(ESCAPE)))
    for words in (("run", scenario, "--out", tmp_path / "out"), ("plan", scenario)):
        ran = mpc(*words)
        assert ran.code == 3 and r"outcome\x1b[31m" in ran.err
        check(ran)
