"""An owner's policy: each rule refuses what it says and lets the rest through; a mistake in the file is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import UsageError
from parties.scenario.file import Scenario
from parties.scenario.star import StarScenario
from parties.tasks.registry import load_any, load_scenario, request_of
from parties.trust.policy import Policy, Rules, load_policy
from tests.helpers import ROOT
from tests.run.scenarios import write_scenario
from tests.run.sums import with_helper, write_sums

PUBLICS = {"hospital_a": "bl1-a", "hospital_b": "bl1-b", "helper": "bl1-h"}
ALL = """
schema = 1
kinds = ["logistic_regression"]
reveals = ["model", "metrics", "standardisation"]
minimum_rows = 60
minimum_owners = 2
peers = ["bl1-b", "helper"]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return load_scenario(write_scenario(tmp_path))


def policy(folder: Path, text: str) -> Policy:
    path = folder / "policy.toml"
    path.write_text(text)
    found = load_policy(folder)
    assert found.path == path and found.written
    return found


def refusal(one: Policy, scenario: Scenario | StarScenario, rows: int | None = 60) -> str:
    with pytest.raises(UsageError) as caught:
        one.check(request_of(scenario), "hospital_a", PUBLICS, rows)
    error = caught.value
    assert error.exit_code == 2 and error.party == "hospital_a" and "change that rule" in error.hint
    return error.message.removeprefix(f"{one.path} refuses this run: ")


@pytest.mark.parametrize("text", ["", "schema = 1", ALL])
def test_what_is_allowed_is_let_through(tmp_path: Path, scenario: Scenario, text: str) -> None:
    policy(tmp_path, text).check(request_of(scenario), "hospital_a", PUBLICS, 60)


def test_without_a_file_there_is_no_policy(tmp_path: Path) -> None:
    found = load_policy(tmp_path)
    assert not found.written and found.rules == Rules()
    with pytest.raises(UsageError) as caught:
        load_policy(tmp_path, tmp_path / "other.toml")
    assert caught.value.message == f"there is no policy file {tmp_path / 'other.toml'}"


def test_a_named_file_takes_the_place_of_the_one_beside_the_keys(tmp_path: Path) -> None:
    policy(tmp_path, "minimum_owners = 9")
    other = tmp_path / "other.toml"
    other.write_text("")
    found = load_policy(tmp_path, other)
    assert found.path == other and found.rules.minimum_owners is None


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("kinds = []", "kinds = [], but the task is 'logistic_regression'"),
        ('kinds = ["secure_sum"]', "kinds = [\"secure_sum\"], but the task is 'logistic_regression'"),
        (
            'reveals = ["model", "standardisation"]',
            'reveals = ["model", "standardisation"], but it reveals \'metrics\'',
        ),
        ('reveals = ["model", "metrics"]', 'reveals = ["model", "metrics"], but it reveals \'standardisation\''),
        (
            'reveals = ["modle", "metrics", "standardisation"]',
            "reveals = [\"modle\", \"metrics\", \"standardisation\"], but it reveals 'model' ('modle' is not 'model')",
        ),
        ("reveals = []", "reveals = [], but it reveals 'model', 'metrics' and 'standardisation'"),
        ("minimum_rows = 61", "minimum_rows = 61, but the data have 60"),
        ("minimum_owners = 3", "minimum_owners = 3, but there are 2"),
        ('peers = ["hospital_b"]', "peers lists neither the name nor the key of 'helper'"),
        ('peers = ["bl1-h", "hospital_a", "bl1-B"]', "peers lists neither the name nor the key of 'hospital_b'"),
        ("peers = []", "peers lists neither the name nor the key of 'hospital_b' and 'helper'"),
    ],
)
def test_each_rule_refuses(tmp_path: Path, scenario: Scenario, rule: str, says: str) -> None:
    assert refusal(policy(tmp_path, rule), scenario) == says


def test_sums_for_standardisation_count_where_they_are_opened(tmp_path: Path) -> None:
    plain = load_scenario(write_scenario(tmp_path, standardise=False, reveal=["model"]))
    one = policy(tmp_path, 'reveals = ["model"]')
    one.check(request_of(plain), "hospital_a", PUBLICS, 60)
    assert refusal(one, load_scenario(write_scenario(tmp_path, reveal=["model"]))).endswith("'standardisation'")


def test_powers_of_two_go_by_their_name_or_that_of_the_sums(tmp_path: Path) -> None:
    private = load_scenario(write_scenario(tmp_path, standardise="private", reveal=["model"]))
    for allowed in ("scales", "standardisation"):
        policy(tmp_path, f'reveals = ["model", "{allowed}"]').check(request_of(private), "hospital_a", PUBLICS, 60)
    assert refusal(policy(tmp_path, 'reveals = ["model"]'), private).endswith("'scales'")


def test_split_columns_open_no_sums(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, reveal=["model"], partition="vertical")
    policy(tmp_path, 'reveals = ["model"]').check(request_of(load_scenario(path)), "hospital_a", PUBLICS, 60)


def test_what_is_told_of_the_data_counts_where_it_is_opened(tmp_path: Path) -> None:
    asks: dict[str, Any] = {"missing": "drop", "reveal": ["model", "missing"], "compare_ranges": True}
    told = load_scenario(write_scenario(tmp_path, **asks))
    policy(tmp_path, 'reveals = ["model", "standardisation", "missing", "ranges"]').check(
        request_of(told), "hospital_a", PUBLICS, 60
    )
    assert refusal(policy(tmp_path, 'reveals = ["model", "standardisation"]'), told).endswith("'missing' and 'ranges'")


def test_stop_tests_are_let_through_by_their_name(tmp_path: Path) -> None:
    told = load_scenario(write_scenario(tmp_path, reveal=["model"], solver="newton", tolerance=0.01))
    allowed = 'reveals = ["model", "standardisation", "tolerance"]'
    policy(tmp_path, allowed).check(request_of(told), "hospital_a", PUBLICS, 60)
    assert refusal(policy(tmp_path, allowed.replace(', "tolerance"', "")), told).endswith("'tolerance'")


@pytest.mark.parametrize(
    ("asks", "name"),
    [({"class_weights": "balanced"}, "class-count"), ({"weights": "times"}, "weights")],
)
def test_what_is_opened_for_weights_is_let_through_by_its_name(tmp_path: Path, asks: dict[str, Any], name: str) -> None:
    shown = ["inference"] if "weights" in asks else ["model"]
    told = load_scenario(write_scenario(tmp_path, reveal=shown, **asks))
    allowed = f'reveals = ["model", "inference", "standardisation", "{name}"]'
    policy(tmp_path, allowed).check(request_of(told), "hospital_a", PUBLICS, 60)
    assert refusal(policy(tmp_path, allowed.replace(f', "{name}"', "")), told).endswith(f"'{name}'")


INFER: dict[str, Any] = {"reveal": ["inference"], "min_cell": 20}
CALIBRATE: dict[str, Any] = {"reveal": ["inference", "metrics", "calibration"]}
MODEL: dict[str, Any] = {"reveal": ["model"], "min_cell": 20}
LEVELS: dict[str, Any] = {"features": ["years"], "categories.years": ["1", "2"]}
CELLS: dict[str, tuple[dict[str, Any], str]] = {
    "a model": (MODEL, ""),
    "smaller cells": ({**MODEL, "min_cell": 19}, "minimum_cell = 20, but it has min_cell = 19"),
    "no cells": ({**MODEL, "min_cell": 1}, "it has min_cell = 1"),
    "as a scenario has them": ({"reveal": ["model"]}, "it has min_cell = 5"),
    "metrics": ({"min_cell": 20}, '"metrics" tells how many rows were right and wrong'),
    "missing values": ({**MODEL, "missing": "drop", "reveal": ["model", "missing"]}, '"missing" tells how many values'),
    "a class": ({**MODEL, "class_weights": "balanced"}, ""),
    "levels": ({**MODEL, **LEVELS}, ""),
    "inference": (INFER, ""),
    "an open Fisher matrix": ({**INFER, "inference": "open-fisher"}, ""),
    "a calibration": ({**CALIBRATE, "min_cell": 19}, 'it has min_cell = 19; "metrics" tells'),
    "a calibration as large": ({**CALIBRATE, "min_cell": 20}, 'minimum_cell = 20, but "metrics" tells'),
}


@pytest.mark.parametrize("case", CELLS)
def test_a_least_cell_binds_a_training(tmp_path: Path, case: str) -> None:
    asks, says = CELLS[case]
    told = load_scenario(write_scenario(tmp_path, **asks))
    check_cells(policy(tmp_path, "minimum_cell = 20"), told, says)


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("", "it has min_cell = 5"),
        ("min_cell = 20", ""),
        ('min_cell = 20\nreveal = ["inference", "metrics"]\ntest_fraction = 0.2', ""),
        ('min_cell = 20\nmissing = "drop"\nreveal = ["inference", "missing"]', '"missing" tells how many values'),
        ('min_cell = 20\ninference = "open-gram"', ""),
    ],
)
def test_a_least_cell_binds_a_line(tmp_path: Path, task: str, says: str) -> None:
    path = write_scenario(tmp_path)
    head, _ = path.read_text().split("[task]")
    path.write_text(f'{head}[task]\nkind = "linear_regression"\ntarget = "dose"\nid = "patient"\n{task}\n')
    check_cells(policy(tmp_path, "minimum_cell = 20"), load_scenario(path), says)


@pytest.mark.parametrize("helper", [False, True])
@pytest.mark.parametrize(
    ("task", "says"), [("", "no min_cell"), ("min_cell = 19\n", "min_cell = 19"), ("min_cell = 20\n", "")]
)
def test_a_least_cell_binds_sums(tmp_path: Path, helper: bool, task: str, says: str) -> None:
    if helper and not task:
        return  # the scenario is refused: a helper compares with min_cell
    path = write_sums(tmp_path, task=task)
    check_cells(policy(tmp_path, "minimum_cell = 20"), load_any(with_helper(path) if helper else path), says)


def test_minimum_owners_is_held_against_the_cohort_of_a_sum(tmp_path: Path) -> None:
    sums = load_any(write_sums(tmp_path, task="min_cohort = 7\n"))
    policy(tmp_path, "minimum_owners = 7").check(request_of(sums), "c1", PUBLICS)
    said = refusal(policy(tmp_path, "minimum_owners = 8"), sums)
    assert said == "minimum_owners = 8, but a sum may be of 7 (min_cohort)"


def check_cells(one: Policy, scenario: Scenario | StarScenario, says: str) -> None:
    """That the rule refuses the scenario with these words; or, without any, that it lets it through."""
    if not says:
        one.check(request_of(scenario), "hospital_a", PUBLICS, 60)
        return
    said = refusal(one, scenario)
    assert said.startswith("minimum_cell = 20, but ") and says in said


def test_a_seed_that_protects_nothing_needs_a_rule(tmp_path: Path) -> None:
    told = load_scenario(write_scenario(tmp_path, extra="[testing]\ninsecure_seed = 3\n"))
    policy(tmp_path, "insecure_seed = true").check(request_of(told), "hospital_a", PUBLICS, 60)
    for one in (load_policy(tmp_path / "none"), policy(tmp_path, ALL), policy(tmp_path, "insecure_seed = false")):
        with pytest.raises(UsageError) as caught:
            one.check(request_of(told), "hospital_a", PUBLICS, 60)
        assert "no policy of hospital_a allows it" in caught.value.message
        assert f"write insecure_seed = true into {one.path}" in caught.value.hint
    bare = load_scenario(write_scenario(tmp_path, extra="[testing]\n"))
    load_policy(tmp_path / "none").check(request_of(bare), "hospital_a", PUBLICS, 60)


def test_a_party_without_rows_is_not_asked_for_them(tmp_path: Path, scenario: Scenario) -> None:
    policy(tmp_path, "minimum_rows = 1000").check(request_of(scenario), "hospital_a", PUBLICS, None)


def test_rows_that_were_read_are_checked_as_stated_ones_are(tmp_path: Path) -> None:
    policy(tmp_path, ALL).check_rows("hospital_a", 60)
    with pytest.raises(UsageError, match="minimum_rows = 60, but the data have 59"):
        policy(tmp_path, ALL).check_rows("hospital_a", 59)
    policy(tmp_path, ALL.replace("minimum_rows = 60", "")).check_rows("hospital_a", 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("minimum_row = 3", ["'minimum_row'", "did you mean 'minimum_rows'?"]),
        ("minimum_rows = 0", ["the policy minimum_rows must be a whole number from 1", "not 0"]),
        ('minimum_owners = "3"', ["the policy minimum_owners must be a whole number", 'not "3"']),
        ('kinds = "logistic_regression"', ["the policy kinds must be a list"]),
        ("peers = [3]", ["the policy peers must be a list of public keys or parties' names"]),
        ("schema = 2", ["schema 2 is not known"]),
        ("minimum_rows = 0\nkind = []", ["has 2 problems", "'kinds'"]),
        ("minimum_rows = ", ["not valid TOML"]),
        ("\xff", ["not valid TOML"]),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, says: list[str]) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        load_policy(tmp_path)
    for words in (str(path), *says):
        assert words in str(caught.value)


def test_a_file_that_others_can_change_is_refused(tmp_path: Path) -> None:
    policy(tmp_path, "").path.chmod(0o664)
    with pytest.raises(UsageError) as caught:
        load_policy(tmp_path)
    assert caught.value.message == f"others than its owner can change {tmp_path / 'policy.toml'}"
    (tmp_path / "policy.toml").chmod(0o644)
    assert load_policy(tmp_path) is not None


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        load_policy(tmp_path)


def test_the_example_in_the_docs_is_a_policy(tmp_path: Path, scenario: Scenario) -> None:
    docs = (ROOT / "docs" / "keys.md").read_text()
    (example,) = re.findall(r"```toml\n(kinds.*?)```", docs, re.DOTALL)
    one = policy(tmp_path, example)
    assert None not in one.rules.model_dump().values()
    assert refusal(one, scenario, 100) == "minimum_owners = 3, but there are 2"
