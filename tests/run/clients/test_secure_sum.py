"""`mpc run` and `mpc plan` of secure sums, as a user types them."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pandas as pd
import pytest

from tests.run.command import ROOT, Running, mpc, record
from tests.run.sums import expected, with_helper, write_rounds, write_sums


def test_a_sum_over_processes(tmp_path: Path) -> None:
    ran = mpc("run", write_sums(tmp_path, task='server = "malicious"'), "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "record")
    assert found["sums"]["columns"] == expected()
    assert found["sums"]["dropped"] == {}
    server = found["parties"]["server"]
    assert (server["bytes_sent"], server["bytes_received"]) == tuple(found["plan"]["bytes"].values())
    assert server["bytes_received"] == sum(
        party["bytes_sent"] for name, party in found["parties"].items() if name != "server"
    )
    for words in ("Sums over 12 of 12 clients", "as planned, to the byte", "No client dropped out", "1.25"):
        assert words in ran.out
    assert "Over 12 clients together" in (tmp_path / "record" / "report.html").read_text()
    assert not list((tmp_path / "record").glob("*.stderr"))
    again = mpc("report", tmp_path / "record")
    assert again.code == 0
    assert "Sums over 12 of 12 clients" in again.out


def test_a_killed_client_and_one_of_unfit_data_are_left_out(tmp_path: Path) -> None:
    """The unfit one says so to the server alone, without the value; what its own log says, it says there."""
    scenario = write_sums(tmp_path, cell="777")
    run = Running("run", scenario, "--out", tmp_path / "record")
    run.wait_for(lambda: "c3" in run.parties(), "a process of c3")
    run.party("c3").send_signal(signal.SIGKILL)
    ended = run.end()
    assert ended.code == 0, ended.err
    found = record(tmp_path / "record")
    assert found["sums"]["left_out"] == ["c2", "c3"]
    assert found["sums"]["columns"] == expected(2, 3)
    assert "c3: takes part no more: c3 was killed (signal 9)" in ended.err
    assert "of column 'stay'" in (tmp_path / "record" / "c2.log").read_text()
    assert "stay" not in (tmp_path / "record" / "server.log").read_text()


def test_too_few_clients_end_the_run_with_7(tmp_path: Path) -> None:
    scenario = write_sums(tmp_path, cell="777", task="min_cohort = 12")
    ran = mpc("run", scenario, "--out", tmp_path / "record")
    assert ran.code == 7, ran.err
    assert "11 clients answered in stage 'keys', and 12 are needed" in ran.err
    found = record(tmp_path / "record")
    assert (found["status"], found["error"]["code"]) == ("failed", "too-few")


def test_clients_keep_their_small_cells_to_themselves(tmp_path: Path) -> None:
    """Client k has k rows: those with fewer than 4 add nothing, and only their own logs say so. Of the ages of 4 rows,
    3 differ from any one: these count as if they were 1, too."""
    ran = mpc("run", write_sums(tmp_path, task="min_cell = 4"), "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "record")["sums"]
    assert found["columns"]["age"] == {"count": 39, "sum": 259.0, "mean": 259 / 39}
    assert (found["clients"], found["left_out"]) == (12, [])
    assert found["small_cells"]["bias"]["age"] == {"count": [-36, 0], "sum": [-3 * 36 * 130, 3 * 36 * 130]}
    told = " ".join(ran.out.split())
    assert (
        "had fewer than 4 rows, and its commonest value for fewer that differ. A 0 means that no client has 4" in told
    )
    assert "a count by -36 to 0, a sum by -14,040 to +14,040" in told
    assert "c2: fewer rows than 4 in cells of 'age' and 'stay'" in (tmp_path / "record" / "c2.log").read_text()
    assert "fewer rows" not in (tmp_path / "record" / "server.log").read_text()


def test_a_helper_withholds_small_sums_over_all_clients(tmp_path: Path) -> None:
    """51 rows of flags: `few` have a 1 in 4 of them, each at another client, and `more` in 5; `rare` is `few`, but the
    scenario does not say that it is of flags."""
    path = with_helper(write_sums(tmp_path, task='min_cell = 5\nflags = ["few", "more"]'))
    path.write_text(path.read_text().replace('["age", "stay"]', '["age", "few", "more", "rare"]'))
    for k in (1, 2, 3):
        rows = [f"{row},{int(row == 0 and k < 3)},{int(row == 0)},{int(row == 0 and k < 3)}" for row in range(k)]
        (tmp_path / f"c{k}.csv").write_text("\n".join(["age,few,more,rare", *rows]) + "\n")
    ones = [int(row == 0 and k < 3) for k in range(1, 10) for row in range(k)]
    whose = [f"client_{k},{row}" for k in range(1, 10) for row in range(k)]
    rows = [f"{row},{one},{one},{one}" for row, one in zip(whose, ones, strict=True)]
    (tmp_path / "all.csv").write_text("\n".join(["who,age,few,more,rare", *rows]) + "\n")
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "record")
    columns = found["sums"]["columns"]
    ages = sum(k * (k - 1) / 2 for k in (1, 2, 3, *range(1, 10)))
    assert columns["age"] == {"count": 51, "sum": ages, "mean": ages / 51}
    assert columns["rare"] == columns["few"]
    assert columns["few"] == {"count": 51, "sum": None, "mean": None}
    assert columns["more"] == {"count": 51, "sum": 5.0, "mean": 5 / 51}
    assert found["sums"]["small_cells"]["withheld"] == {"few": ["sum", "mean"], "rare": ["sum", "mean"]}
    server, helper = found["parties"]["server"], found["parties"]["judge"]
    assert (server["bytes_sent"], server["bytes_received"]) == tuple(found["plan"]["bytes"].values())
    assert (helper["role"], helper["rounds"]) == ("helper", 1)
    told = " ".join(ran.out.split())
    assert re.search(r"few +51 +\* +\*", ran.out)
    assert "judge compared the cells with 5 before any was opened. *: withheld, for a cell of fewer than 5 rows" in told
    assert "whether it has 1 to 4 rows" in found["revealed"][-1]["what"]
    assert found["revealed"][-1]["to"] == ["judge"]
    report = (tmp_path / "record" / "report.html").read_text()
    assert re.search(r"few</th><td[^>]*>51</td><td[^>]*>\*</td>", report)


def test_a_helper_withholds_what_gives_few_rows_back(tmp_path: Path) -> None:
    """45 rows: of the weights four are 9, each at another client, and the others 1 (their total is 77); then `third` is
    100 in three rows, beside 0s and 1s (its sum says so). `stay` is 1.25 everywhere."""
    path = with_helper(write_sums(tmp_path, task='min_cell = 5\nweight = "w"\nlargest_weight = 9'))
    text = path.read_text().replace('["age", "stay"]', '["third", "stay"]')
    path.write_text(re.sub(r"\[parties\.c\d\]\n.*\n.*\n", "", text))
    for weight, third, weights, stays in ((9, 1, None, None), (1, 100, 45, 56.25)):
        rows = [
            f"client_{k},{third if k > 6 and not row else row % 2},1.25,{weight if k < 5 and not row else 1}"
            for k in range(1, 10)
            for row in range(k)
        ]
        (tmp_path / "all.csv").write_text("\n".join(["who,third,stay,w", *rows]) + "\n")
        ran = mpc("run", path, "--out", tmp_path / f"record {weight}")
        assert ran.code == 0, ran.err
        columns = record(tmp_path / f"record {weight}")["sums"]["columns"]
        mean = stays and stays / 45
        assert columns["third"] == {"count": 45, "weight": weights, "sum": None, "mean": None}
        assert columns["stay"] == {"count": 45, "weight": weights, "sum": stays, "mean": mean}


def test_a_killed_helper_ends_the_run_with_7(tmp_path: Path) -> None:
    run = Running("run", with_helper(write_sums(tmp_path, task="min_cell = 5")), "--out", tmp_path / "record")
    run.wait_for(lambda: "judge" in run.parties(), "a process of the helper")
    run.party("judge").send_signal(signal.SIGKILL)
    ended = run.end()
    assert ended.code == 7, ended.err
    assert "the helper" in ended.err
    found = record(tmp_path / "record")
    assert (found["status"], found["error"]["code"]) == ("failed", "too-few")


@pytest.mark.soak
def test_rounds_over_processes(tmp_path: Path) -> None:
    path = write_rounds(tmp_path)
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "record")
    assert [one["columns"]["stay"]["mean"] for one in found["sums"]["rounds"]] == [1, 2]
    server = found["parties"]["server"]
    assert (server["bytes_sent"], server["bytes_received"]) == tuple(found["plan"]["bytes"].values())
    assert "Round 2 of 2" in ran.out


def test_the_scenario_with_a_helper_prints_what_the_docs_say(tmp_path: Path) -> None:
    ran = mpc("run", ROOT / "scenarios" / "registry_small_cells.toml", "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    (shown,) = re.findall(
        r"```text\n(Over 12 clients.*?)```", (ROOT / "docs" / "aggregation.md").read_text(), re.DOTALL
    )
    assert "\n".join(line.rstrip() for line in shown.splitlines()) in ran.out
    sums = record(tmp_path / "record")["sums"]
    assert sums["columns"]["fracture"]["sum"] is None and sums["small_cells"]["withheld"]
    table = pd.read_csv(ROOT / "scenarios" / "data" / "implants.csv")
    told = ("age", "revision", "infection", "recall")
    assert {name: sums["columns"][name]["sum"] for name in told} == table[list(told)].sum().to_dict()


@pytest.mark.soak
@pytest.mark.speed
@pytest.mark.parametrize(("name", "clients"), [("registry", 20), ("devices", 925)])
def test_the_scenarios_as_they_are(tmp_path: Path, name: str, clients: int) -> None:
    ran = mpc("run", ROOT / "scenarios" / f"{name}.toml", "--out", tmp_path / "record", timeout=120)
    assert ran.code == 0, ran.err
    assert ran.seconds < 60
    assert record(tmp_path / "record")["sums"]["clients"] == clients
