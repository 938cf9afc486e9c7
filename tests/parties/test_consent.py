"""Consent: asked once for each scenario and each change of it, remembered, and never given by a wrong digest."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest

from mpc.errors import UsageError
from parties.blocks import Grid, Line
from parties.consent import FILE, consent_digest, obtain, read_approvals, remember
from parties.consent_text import consent_blocks
from parties.data import load_owner_table
from parties.plan_scenario import planned
from parties.plan_text import plan_tables
from parties.scenario import Scenario, load_scenario
from tests.run.scenarios import write_scenario

A, B, HELPER = "hospital_a", "hospital_b", "helper"
PUBLICS = {A: "bl1-a", B: "bl1-b", HELPER: "bl1-h"}


class Desk:
    """A folder with a scenario, and somebody who is shown things and may say yes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = write_scenario(folder)
        self.shown: list[Sequence[str]] = []
        self.asked = 0

    @property
    def scenario(self) -> Scenario:
        return load_scenario(self.path)

    def edit(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new, 1))

    def obtain(self, given: str | None = None, *, answer: bool | None = None, me: str = A) -> None:
        def ask() -> bool:
            self.asked += 1
            return bool(answer)

        obtain(self.scenario, me, self.folder, given, self.shown.append, None if answer is None else ask)

    def refusal(self, given: str | None = None, *, answer: bool | None = None, me: str = A) -> UsageError:
        with pytest.raises(UsageError) as caught:
            self.obtain(given, answer=answer, me=me)
        assert caught.value.exit_code == 2
        return caught.value

    def wanted(self) -> str:
        """The digest that the refusal names."""
        found = re.search(r"--approve ([0-9a-f]{64})$", self.refusal().hint)
        assert found
        return found[1]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_nothing_runs_that_nobody_approved(desk: Desk) -> None:
    error = desk.refusal()
    assert error.message == "hospital_a has not approved the scenario 'small'" and error.party == A
    assert error.hint.endswith(f"--approve {desk.scenario.digest}")
    assert desk.shown == [[]]
    assert not (desk.folder / FILE).exists()
    desk.refusal()


def test_a_digest_approves_once_and_for_all(desk: Desk) -> None:
    desk.obtain(desk.scenario.digest)
    assert desk.shown == [[]]
    desk.obtain()
    desk.obtain(desk.scenario.digest)
    assert desk.shown == [[]]
    assert stat.S_IMODE((desk.folder / FILE).stat().st_mode) == 0o600
    (one,) = read_approvals(desk.folder)
    assert (one.digest, one.party, one.scenario) == (desk.scenario.digest, A, "small")


@pytest.mark.parametrize("digits", [16, 17, 63, 64])
def test_so_many_digits_are_enough(desk: Desk, digits: int) -> None:
    desk.obtain(desk.scenario.digest[:digits].upper())
    assert read_approvals(desk.folder)[0].digest == desk.scenario.digest


@pytest.mark.parametrize("given", ["", "yes", "0123456789abcde", "g" * 16, "0" * 65, "0123456789abcdef\n"])
def test_what_is_no_digest_is_refused(desk: Desk, given: str) -> None:
    error = desk.refusal(given)
    assert "at least the first 16 digits" in error.message and desk.scenario.digest in error.hint
    assert desk.shown == []


def test_fewer_digits_of_the_right_one_are_refused(desk: Desk) -> None:
    desk.refusal(desk.scenario.digest[:15])


def test_another_digest_approves_nothing_even_if_this_one_is_approved(desk: Desk) -> None:
    other = ("0" if desk.scenario.digest[0] != "0" else "1") + desk.scenario.digest[1:]
    assert "names another scenario" in desk.refusal(other).message
    desk.obtain(desk.scenario.digest)
    assert "names another scenario" in desk.refusal(other).message
    assert desk.scenario.digest in desk.refusal(other).hint


def test_a_typed_yes_approves_and_anything_else_does_not(desk: Desk) -> None:
    assert "has not approved" in desk.refusal(answer=False).message
    desk.obtain(answer=True)
    desk.obtain()
    assert desk.asked == 2
    desk.obtain(answer=False)
    assert desk.asked == 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("epochs = 3", "epochs = 4", "task.epochs: 4 here, 3 there"),
        ('target = "outcome"', 'target = "dose"', 'task.target: "dose" here, "outcome" there'),
        ("seed = 3", "seed = 4", "seed: 4 here, 3 there"),
        ('role = "helper"', 'role = "helper"\npublic_key = "x"', 'parties.helper.public_key: "x" here, null there'),
    ],
)
def test_a_changed_scenario_is_asked_for_anew_and_says_what_changed(desk: Desk, old: str, new: str, says: str) -> None:
    before = desk.scenario.digest
    desk.obtain(before)
    desk.edit(old, new)
    error = desk.refusal()
    assert re.search(r"; it was changed since the approval of \d{4}-\d\d-\d\d$", error.message)
    assert desk.shown[-1] == [says]
    assert "names another scenario" in desk.refusal(before).message
    desk.obtain(desk.wanted())
    desk.obtain()
    desk.edit(new, old)
    desk.obtain()  # the first approval holds


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('data = "hospital_a.csv"', 'data = "all_patients.csv"'),
        ('data = "hospital_a.csv"', 'data = { database = "x.duckdb", sql = "select * from everyone" }'),
        ('data = "hospital_a.csv"', 'data = "hospital_a.csv"\ndecimal = ","'),
    ],
)
def test_other_data_of_ones_own_are_asked_for_anew_though_the_digest_stays(desk: Desk, old: str, new: str) -> None:
    agreed = desk.scenario.digest
    desk.obtain(agreed)
    desk.edit(old, new)
    assert desk.scenario.digest == agreed
    wanted = desk.wanted()
    assert wanted != agreed
    assert desk.shown[-1] == ["where the data of this party are, or how they are written"]
    assert "names another scenario" in desk.refusal(agreed).message  # it may stand in a start script
    desk.obtain(wanted)
    desk.obtain()
    desk.edit(new, old)
    desk.obtain(agreed)


def test_another_owners_data_are_not_this_ones_affair(desk: Desk) -> None:
    desk.obtain(desk.scenario.digest)
    desk.edit('data = "hospital_b.csv"', 'data = "elsewhere.csv"')
    desk.obtain()


def test_each_party_approves_for_itself(desk: Desk) -> None:
    desk.obtain(desk.scenario.digest)
    for name in (B, HELPER):
        assert desk.refusal(me=name).message == f"{name} has not approved the scenario 'small'"
        desk.obtain(desk.scenario.digest, me=name)
    assert [one.party for one in read_approvals(desk.folder)] == [A, B, HELPER]


def test_approvals_at_the_same_time_are_all_kept(desk: Desk) -> None:
    names = (A, B, HELPER) * 4
    threads = [Thread(target=remember, args=(desk.scenario, name, desk.folder)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.party for one in read_approvals(desk.folder)) == sorted(names)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"schema": 2, "approved": []}',
        b'{"schema": 1, "approved": [3]}',
        b'{"schema": 1, "approved": [{"digest": "x"}]}',
        b'{"schema": 1, "approved": 3}',
        b"\xff",
    ],
)
def test_a_file_that_is_no_list_of_approvals_is_named(desk: Desk, content: bytes) -> None:
    path = desk.folder / FILE
    path.touch(0o600)
    path.write_bytes(content)
    error = desk.refusal()
    assert error.message == f"{path} is not a list of approvals"
    assert path.read_bytes() == content


def test_an_entry_of_other_types_is_no_approval(desk: Desk) -> None:
    desk.obtain(desk.scenario.digest)
    path = desk.folder / FILE
    content = json.loads(path.read_text())
    content["approved"][0]["digest"] = 3
    path.write_text(json.dumps(content))
    assert "not a list of approvals" in desk.refusal().message


def test_approvals_that_others_can_write_do_not_count(desk: Desk) -> None:
    desk.obtain(desk.scenario.digest)
    (desk.folder / FILE).chmod(0o662)
    assert "others than its owner" in desk.refusal().message


def test_the_digest_is_the_scenarios_until_other_data_were_approved_under_it(desk: Desk) -> None:
    one = desk.scenario
    assert consent_digest(one, A) == one.digest
    desk.obtain(one.digest)
    assert consent_digest(one, A, read_approvals(desk.folder)) == one.digest
    desk.edit('"hospital_a.csv"', '"hospital_b.csv"')
    changed = desk.scenario
    first = consent_digest(changed, A, read_approvals(desk.folder))
    desk.edit('"hospital_b.csv"', '"c.csv"')
    assert first != consent_digest(desk.scenario, A, read_approvals(desk.folder)) != one.digest


def text(one: Scenario, me: str, changes: Sequence[str] = (), warnings: Sequence[str] = ()) -> str:
    """All that a party is shown."""
    table = load_owner_table(one, me) if one.parties[me].role == "owner" else None
    words = []
    for block in consent_blocks(one, me, table, PUBLICS, changes, warnings):
        words.append(block.text if isinstance(block, Line) else "\n".join((block.title, *map(" | ".join, block.rows))))
    return "\n".join(words)


def test_what_is_shown_to_an_owner(desk: Desk) -> None:
    shown = text(desk.scenario, A, ["epochs: 4 here, 3 there"], ["repeat: again"])
    for words in (
        "small: what hospital_a is asked to take part in. Nothing has been sent.",
        "hospital_b | owner | - | - | bl1-b",
        "read | hospital_a.csv",
        "target | outcome",
        "columns, as far as all owners have them | years, dose, marker",
        "rows | 60: 48 to train on, 12 held out",
        "epochs | 3",
        "reveal | model, metrics",
        "reveal_to | hospital_a, hospital_b",
        "feature means, feature standard deviations | all owners",
        "model | all owners",
        "AUC pairs (train), AUC pairs (test) | all owners",
        "with two owners each can subtract its own part",
        "epochs: 4 here, 3 there",
        "repeat: again",
        "Two runs that differ a little reveal their difference.",
        desk.scenario.digest,
    ):
        assert words in shown, words


def test_nothing_is_left_out_of_the_settings(desk: Desk) -> None:
    desk.edit("[task]\n", '[task]\ncategories.years = ["1", "2"]\nfeatures = ["years", "dose"]\npositive = "1"\n')
    blocks = consent_blocks(desk.scenario, HELPER, None, PUBLICS)
    (grid,) = [block for block in blocks if isinstance(block, Grid) and block.title == "What is computed"]
    task = {key: value for key, value in desk.scenario.agreed()["task"].items() if value is not None}
    assert {row[0] for row in grid.rows} == {"seed", *task}


def test_a_query_and_a_test_seed_are_shown(desk: Desk) -> None:
    desk.edit(
        'data = "hospital_a.csv"', 'data = { database = "x.duckdb", sql = "select *\\nfrom everyone" }\nrows = 60'
    )
    desk.path.write_text(desk.path.read_text() + "[testing]\ninsecure_seed = 3\n")
    blocks = consent_blocks(desk.scenario, A, None, PUBLICS)
    words = "\n".join(block.text for block in blocks if isinstance(block, Line))
    assert "THIS SCENARIO PROTECTS NOTHING" in words
    rows = [row for block in blocks if isinstance(block, Grid) for row in block.rows]
    assert ("read", "x.duckdb: select *\nfrom everyone") in rows
    assert ("columns and rows", "the data cannot be read") in rows


def test_the_whole_plan_is_shown_where_rows_and_features_are_stated(desk: Desk) -> None:
    desk.edit('data = "hospital_b.csv"', 'data = "hospital_b.csv"\nrows = 67')
    desk.edit("[task]\n", '[task]\nfeatures = ["years", "dose"]\n')
    one = desk.scenario
    settings, plan = planned(one)
    blocks = consent_blocks(one, A, load_owner_table(one, A), PUBLICS)
    for block in plan_tables(plan, settings, one):
        assert block in blocks
    assert plan.digest in text(one, A)


def test_the_helper_is_shown_what_it_deals_for(desk: Desk) -> None:
    shown = text(desk.scenario, HELPER)
    assert "helper has no data" in shown
    assert "model | all owners" in shown
    assert "What is asked of the data" not in shown
    assert "0 owners of 2 so far" in shown


def test_what_does_not_fit_with_rows_that_stand_in_is_shown_as_declared(desk: Desk) -> None:
    desk.edit("learning_rate = 0.5", "learning_rate = 1e9")
    assert "Revealed to hospital_a, hospital_b: model, metrics." in text(desk.scenario, HELPER)
