"""`mpc budget`, and parties of which one has spent its budget."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from shutil import copytree
from signal import SIGKILL
from time import sleep

import pytest

from mpc.errors import BudgetError
from parties.doctor.checks import check_releases
from parties.scenario.file import Scenario
from parties.session.take_part import Prepared
from parties.tasks.statistics.data import load_statistics_table
from parties.trust.budget import Ledger
from parties.trust.releases import Releases
from protocols.privacy.accounting import VectorMechanism
from tests.parties.asked import check_policy
from tests.parties.tasks.linear.private.test_run import scenario as regression
from tests.parties.tasks.logistic.private.scenarios import scenario as training
from tests.parties.tasks.statistics.private.test_run import PRIVACY, scenario
from tests.run.apart import with_keys
from tests.run.command import Running, approving, ends_of, mpc, record
from tests.run.threads import run_in_threads

PARTIES = ("a", "b", "helper")


def test_a_run_is_charged_before_its_first_opening(tmp_path: Path) -> None:
    """And a second one, for which there is nothing left, opens nothing: at the owner that refuses, nor elsewhere."""
    one = scenario(tmp_path)
    folders = {name: tmp_path / name for name in "ab"}
    for name, folder in folders.items():
        folder.mkdir(mode=0o700)
        Ledger(folder).set_budget(4.0 if name == "b" else 100.0, 1e-6)

    def prepared() -> dict[str, Prepared]:
        return {name: Prepared(releases=Releases(f), ledger=Ledger(f)) for name, f in folders.items()}

    results, errors = run_in_threads(one, tmp_path, prepared=prepared())
    assert not errors
    (charged,) = Ledger(folders["a"]).read().charges
    (listed,) = Releases(folders["a"]).past
    assert (charged.session, charged.data, charged.epsilon) == (listed.session, listed.data, 3.0)
    assert charged.session == results["a"]["session"]
    assert charged.mechanisms[0].times == len(results["a"]["privacy"]["releases"])
    _, errors = run_in_threads(one, tmp_path, prepared=prepared())
    assert isinstance(errors["b"], BudgetError) and "b's budget is epsilon = 4" in errors["b"].message
    assert isinstance(errors["a"], BudgetError) and "spent" not in errors["a"].message
    assert len(Ledger(folders["b"]).read().charges) == 1


REGRESSIONS: dict[str, tuple[Callable[[Path], Scenario], float, int, str]] = {
    "linear": (regression, 4.0, 1, r"3\.\d"),
    "logistic": (training, 8.0, 20, r"7\.\d"),
}


@pytest.mark.parametrize("kind", REGRESSIONS)
def test_a_regression_is_charged_as_a_vector(kind: str, tmp_path: Path) -> None:
    make, epsilon, times, spent = REGRESSIONS[kind]
    one = make(tmp_path)
    folder = tmp_path / "keys-a"
    folder.mkdir(mode=0o700)
    own = Prepared(releases=Releases(folder), ledger=Ledger(folder))
    _, errors = run_in_threads(one, tmp_path, prepared={"a": own})
    assert not errors
    (charged,) = Ledger(folder).read().charges
    (mechanism,) = charged.mechanisms
    assert isinstance(mechanism, VectorMechanism)
    assert (charged.epsilon, mechanism.times) == (epsilon, times)
    assert re.search(f"Spent: epsilon = {spent}", mpc("budget", "--keys", folder).out)  # at a delta of 1e-5


def test_a_spent_budget_ends_the_run_before_anything_is_sent(tmp_path: Path) -> None:
    path = scenario(tmp_path).path
    path.write_text(with_keys(path.read_text(), tmp_path / "keys", ("a", "b")))
    keys = tmp_path / "keys"
    assert mpc("budget", "--keys", keys, "--epsilon", "2", "--delta", "1e-6").code == 0
    runs = {name: Running("party", path, "--as", name, "--keys", keys, *approving(path, name)) for name in PARTIES}
    ends = ends_of(runs)
    assert {name: ran.code for name, ran in ends.items()} == dict.fromkeys(PARTIES, 5), ends
    assert "a's budget is epsilon = 2 at delta = 1e-06: 0 was spent by 0 runs" in ends["a"].err
    assert "stopped the run" in ends["helper"].err and "(budget)" in ends["helper"].err
    assert "epsilon" not in ends["helper"].err
    assert "Nothing was spent." in mpc("budget", "--keys", keys).out


@pytest.mark.soak
def test_a_killed_owner_has_charged_what_others_learnt(tmp_path: Path) -> None:
    """Runs among processes; an owner is killed at a random moment, in half of the runs after its charge."""
    path, keys = scenario(tmp_path).path, tmp_path / "keys"
    text = with_keys(path.read_text(), keys, ("a", "b"))
    path.write_text(f"{text}\n[session]\nconnect_timeout = 12.0\ndeadline = 12.0\npatience = 2.0\n")
    told = {name: approving(path, name) for name in PARTIES}
    moments, learnt = Random(1), 0
    for attempt in range(10):
        own, out = tmp_path / f"keys_{attempt}", tmp_path / f"out_{attempt}"
        copytree(keys, own)
        runs = {
            name: Running("party", path, "--as", name, "--keys", own, "--out", out / name, *told[name])
            for name in PARTIES
        }
        sleep(moments.uniform(0.0, 1.5))
        if attempt % 2:
            runs["a"].wait_for((own / "budget.jsonl").exists, "charge")
            sleep(moments.uniform(0.0, 0.5))
        with suppress(ProcessLookupError):
            runs["a"].signal(SIGKILL)
        ends = ends_of(runs)
        charged = [one.session for one in Ledger(own).read().charges if one.party == "a"]
        if ends["b"].code == 0:
            learnt += 1
            assert charged == [record(out / "b")["session"]]
        assert len(charged) <= 1
    assert 0 < learnt < 10


def test_a_doctor_says_what_a_run_would_leave(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    table = load_statistics_table(one, "a")
    for epsilon, level, words in (
        (3.5, "ok", "Spent so far: 0; with this run: 3."),
        (2.0, "problem", "a's budget is epsilon = 2"),
    ):
        Ledger(tmp_path).set_budget(epsilon, 1e-6)
        (found,) = check_releases(one, "a", tmp_path, table)
        assert found.level == level and words in found.text
    assert not Ledger(tmp_path).read().charges


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        ("require_privacy = true\n", None),
        ("largest_epsilon = 3.0\n", None),
        ("largest_epsilon = 2.5\n", "largest_epsilon = 2.5, but [privacy] has epsilon = 3"),
        (
            "minimum_cell = 5\n",
            "tells small counts, with noise, which a largest_epsilon in the policy allows",
        ),
        ("minimum_cell = 5\nlargest_epsilon = 3\n", None),
    ],
)
def test_a_policy_on_privacy(policy: str, refused: str | None, tmp_path: Path) -> None:
    check_policy(scenario(tmp_path), "a", tmp_path, policy, refused)


@pytest.mark.parametrize("rule", ["require_privacy = true", "largest_epsilon = 9"])
def test_a_policy_that_demands_privacy_refuses_exact_results(rule: str, tmp_path: Path) -> None:
    exact = scenario(tmp_path, privacy="")
    check_policy(exact, "a", tmp_path, rule, f"{rule}, but the scenario has no [privacy]")
    check_policy(exact, "a", tmp_path, "require_privacy = false", None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epsilon", "0"), "are no budget"),
        (("--epsilon", "nan"), "are no budget"),
        (("--epsilon", "1", "--delta", "0.5"), "are no budget"),
        (("--delta", "1e-6"), "--delta goes with --epsilon"),
    ],
)
def test_a_mistake_in_a_budget(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    ran = mpc("budget", "--keys", tmp_path, *words)
    assert ran.code == 2 and message in ran.err
    assert not (tmp_path / "budget.jsonl").exists()


def test_a_budget_without_a_folder(tmp_path: Path) -> None:
    ran = mpc("budget", "--keys", tmp_path / "none")
    assert ran.code == 2 and "there is no folder" in ran.err


assert PRIVACY.count("epsilon = 3") == 1, "the tests here are of epsilon = 3"
