"""Two checkouts by turns: which runs count, in what order, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.by_turns import Times, by_turns, main, run_once, table, times_of

RECORD = {
    "training": {"steps": 40},
    "parties": {
        "a": {"role": "owner", "seconds": {"online": 0.05, "training": 0.016}},
        "b": {"role": "owner", "seconds": {"online": 0.06, "training": 0.012}},
        "helper": {"role": "helper", "seconds": {"online": 9.0, "training": 0.0}},
    },
}


def test_the_times_of_a_run() -> None:
    assert times_of(RECORD, 1.5) == {"a step": pytest.approx(0.0003), "online": 0.06, "mpc run": 1.5}
    assert times_of({**RECORD, "training": {"steps": 0}}, 1.5) == {"online": 0.06, "mpc run": 1.5}
    assert "a step" not in times_of({"parties": RECORD["parties"]}, 1.5)


def test_pairs_alternate_and_the_first_runs_do_not_count() -> None:
    ran: list[str] = []

    def run(name: str) -> Times:
        ran.append(name)
        return {"online": float(len(ran))}

    found = by_turns(lambda: run("one"), lambda: run("other"), 3)
    assert ran == ["one", "other", "one", "other", "other", "one", "one", "other"]
    assert found == [
        ({"online": 3.0}, {"online": 4.0}),
        ({"online": 6.0}, {"online": 5.0}),
        ({"online": 7.0}, {"online": 8.0}),
    ]


def test_the_table_has_medians_and_their_quotient() -> None:
    lines = table(
        [({"online": 0.1}, {"online": 0.2}), ({"online": 0.4}, {"online": 0.3}), ({"online": 0.2}, {"online": 0.3})]
    )
    assert lines.splitlines()[1].split() == ["online", "200.000", "ms", "300.000", "ms", "1.50", "0.75", "to", "2.00"]


def test_a_run_that_fails_is_shown(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".venv" / "bin").mkdir(parents=True)
    command = checkout / ".venv" / "bin" / "mpc"
    command.write_text("#!/bin/sh\necho the port is in use >&2\nexit 2\n")
    command.chmod(0o755)
    with pytest.raises(SystemExit, match="the run failed with 2:\nthe port is in use"):
        run_once(checkout, tmp_path / "none.toml")


def test_help_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert "--pairs" in told and "a scenario file, which both run" in told
