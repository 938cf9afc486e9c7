"""Consent: asked once for each scenario and each change of it, remembered, and never given by a wrong digest."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest
from rich.console import Console

from mpc.errors import UsageError
from parties.data.table import load_owner_table
from parties.report.consent import consent_blocks, setting_text
from parties.report.plan import plan_tables
from parties.scenario.file import Scenario
from parties.show.blocks import Grid, Line, print_blocks
from parties.tasks.registry import load_scenario, planned
from parties.trust import consent as module
from parties.trust.consent import FILE, Terms, consent_digest, obtain, read_approvals, remember, revoke, user_name
from tests.parties.asked import asked_and_read
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

    def obtain(
        self, given: str | None = None, *, answer: bool | None = None, me: str = A, terms: Terms | None = None
    ) -> None:
        def ask() -> bool:
            self.asked += 1
            return bool(answer)

        obtain(self.scenario, me, self.folder, given, self.shown.append, None if answer is None else ask, terms)

    def refusal(self, given: str | None = None, *, answer: bool | None = None, me: str = A) -> UsageError:
        with pytest.raises(UsageError) as caught:
            self.obtain(given, answer=answer, me=me)
        assert caught.value.exit_code == 2
        return caught.value

    def digest(self, me: str = A) -> str:
        """What somebody has to approve."""
        return consent_digest(self.scenario, me)

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
    assert error.hint.endswith(f"--approve {desk.digest()}")
    assert desk.shown == [[]]
    assert not (desk.folder / FILE).exists()
    desk.refusal()


def test_a_digest_approves_once_and_for_all(desk: Desk) -> None:
    desk.obtain(desk.digest())
    assert desk.shown == [[]]
    desk.obtain()
    desk.obtain(desk.digest())
    assert desk.shown == [[]]
    assert stat.S_IMODE((desk.folder / FILE).stat().st_mode) == 0o600
    (one,) = read_approvals(desk.folder)
    assert (one.digest, one.party, one.scenario) == (desk.scenario.digest, A, "small")


def over(desk: Desk, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """It is that time now."""
    monkeypatch.setattr(module, "_now", lambda: dt.datetime.fromisoformat(when))


def approvals(desk: Desk) -> list[dict[str, str]]:
    """The list as it is in its file."""
    fields: list[dict[str, str]] = json.loads((desk.folder / FILE).read_text())["approved"]
    return fields


def test_an_approval_says_who_gave_it_and_until_when(desk: Desk) -> None:
    desk.obtain(desk.digest())
    desk.obtain(desk.digest(), terms=Terms("Dr. Weiß", "2999-03-31"))
    first, second = read_approvals(desk.folder)
    assert (first.by, first.until, first.revoked) == (user_name(), "", "")
    assert (second.by, second.until, second.approves) == ("Dr. Weiß", "2999-03-31", desk.digest())


@pytest.mark.parametrize(
    ("until", "last", "over_at"),
    [
        ("2999-03-31", "2999-03-31T23:59:59+00:00", "2999-04-01T00:00:00+00:00"),
        ("2999-03-31T12:00:00Z", "2999-03-31T12:00:00+00:00", "2999-03-31T12:00:01+00:00"),
        ("2999-03-31T12:00:00+02:00", "2999-03-31T10:00:00+00:00", "2999-03-31T10:00:01+00:00"),
    ],
)
def test_an_approval_that_is_over_is_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, until: str, last: str, over_at: str
) -> None:
    desk.obtain(desk.digest(), terms=Terms(until=until))
    over(desk, monkeypatch, last)
    desk.obtain()
    over(desk, monkeypatch, over_at)
    error = desk.refusal()
    assert f"has not approved the scenario 'small': the approval of {approvals(desk)[0]['when'][:10]} was until" in str(
        error
    )
    desk.obtain(desk.digest())
    desk.obtain()


def test_other_terms_are_asked_for(desk: Desk) -> None:
    desk.obtain(desk.digest())
    with pytest.raises(UsageError, match="has not approved the scenario 'small' on these terms"):
        desk.obtain(terms=Terms(until="2999-03-31"))
    desk.obtain(answer=True, terms=Terms(until="2999-03-31"))
    assert [one.until for one in read_approvals(desk.folder)] == ["", "2999-03-31"]


@pytest.mark.parametrize(
    ("until", "says"),
    [
        ("tomorrow", "'tomorrow' is neither a date nor a time"),
        ("2027-02-30", "is neither a date"),
        ("2020-01-01", "an approval until 2020-01-01 would be over already"),
    ],
)
def test_a_wrong_end_is_refused(until: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Terms(until=until)
    assert says in caught.value.message and "2027-03-31" in caught.value.hint


@pytest.mark.parametrize("by_scenario", [False, True])
def test_a_revoked_approval_is_none(desk: Desk, by_scenario: bool) -> None:
    for me in (A, B):
        desk.obtain(desk.digest(me), me=me)
    digest = desk.scenario.digest if by_scenario else desk.digest()
    (one,) = revoke(A, desk.folder, digest.upper())
    assert one.approves == desk.digest()
    assert re.search(r": the approval of 2\d{3}-\d\d-\d\d was revoked on 2\d{3}-", desk.refusal().message)
    desk.obtain(me=B)
    with pytest.raises(UsageError) as caught:
        revoke(A, desk.folder, digest)
    assert "has approved nothing that has the digest" in caught.value.message
    assert caught.value.hint == "no approval of hospital_a is in force"
    with pytest.raises(UsageError) as caught:
        revoke(B, desk.folder, "0" * 64)
    assert caught.value.hint == f"in force are 'small': {desk.digest(B)}"
    desk.obtain(desk.digest())
    desk.obtain()


def test_approvals_of_an_earlier_version_are_read(desk: Desk) -> None:
    desk.obtain(desk.digest())
    fields = approvals(desk)
    assert fields[0].keys() == {"digest", "own", "party", "scenario", "when", "agreed", "by"}
    del fields[0]["by"]
    (desk.folder / FILE).write_text(json.dumps({"schema": 1, "approved": fields}))
    desk.obtain()
    assert read_approvals(desk.folder)[0].by == ""
    desk.obtain(desk.digest(B), me=B)
    assert "by" not in approvals(desk)[0]


@pytest.mark.parametrize("change", [{"until": "soon"}, {"until": 3}, {"by": None}, {"revoked": 1}, {"more": ""}])
def test_an_entry_that_is_none_spoils_the_list(desk: Desk, change: dict[str, object]) -> None:
    desk.obtain(desk.digest())
    (desk.folder / FILE).write_text(json.dumps({"schema": 1, "approved": [{**approvals(desk)[0], **change}]}))
    assert "is not a list of approvals" in desk.refusal().message


@pytest.mark.parametrize("given", ["", "yes", "g" * 64, "0" * 65, "0123456789abcdef", f"{'0' * 64}\n"])
def test_what_is_no_whole_digest_is_refused(desk: Desk, given: str) -> None:
    error = desk.refusal(given)
    assert "needs a whole digest" in error.message and desk.digest() in error.hint
    assert desk.shown == []


def test_the_scenarios_own_digest_approves_nothing(desk: Desk) -> None:
    error = desk.refusal(desk.scenario.digest)
    assert "leaves out the data and the query" in error.message and error.hint.endswith(desk.digest())
    assert desk.shown == [] and read_approvals(desk.folder) == []


def test_another_digest_approves_nothing_beside_an_approved_one(desk: Desk) -> None:
    other = ("0" if desk.digest()[0] != "0" else "1") + desk.digest()[1:]
    assert "is of another scenario" in desk.refusal(other).message
    desk.obtain(desk.digest())
    assert "is of another scenario" in desk.refusal(other).message
    assert desk.digest() in desk.refusal(other).hint


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
def test_a_changed_scenario_is_asked_for_anew(desk: Desk, old: str, new: str, says: str) -> None:
    before = desk.digest()
    desk.obtain(before)
    desk.edit(old, new)
    error = desk.refusal()
    assert re.search(r"; it was changed since the approval of \d{4}-\d\d-\d\d$", error.message)
    assert desk.shown[-1] == [says]
    assert "is of another scenario" in desk.refusal(before).message
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
def test_other_data_of_ones_own_are_asked_for_anew(desk: Desk, old: str, new: str) -> None:
    agreed, before = desk.scenario.digest, desk.digest()
    desk.obtain(before)
    desk.edit(old, new)
    assert desk.scenario.digest == agreed
    wanted = desk.wanted()
    assert wanted != before
    assert desk.shown[-1][0].startswith("this party's own data or query")
    assert "is of another scenario, or of other data" in desk.refusal(before).message  # it may stand in a start script
    desk.obtain(wanted)
    desk.obtain()
    desk.edit(new, old)
    desk.obtain(before)


def test_another_owners_data_are_not_this_ones_affair(desk: Desk) -> None:
    desk.obtain(desk.digest())
    desk.edit('data = "hospital_b.csv"', 'data = "elsewhere.csv"')
    desk.obtain()


def test_another_roster_by_the_same_key_is_asked_for_anew(desk: Desk) -> None:
    desk.path.write_text(desk.path.read_text() + '[roster]\nfile = "keys.toml"\nsigned_by = "bl1-admin"\n')
    agreed = desk.scenario.digest
    desk.obtain(desk.digest())
    desk.edit('"keys.toml"', '"older_keys.toml"')
    assert desk.scenario.digest == agreed
    desk.refusal()
    assert desk.shown[-1][0].endswith("or the roster's file")


def test_an_approval_is_no_others_with_a_file_of_one_name(desk: Desk) -> None:
    for name in (A, B):
        desk.edit(f'data = "{name}.csv"', 'data = "patients.csv"')
    desk.obtain(desk.digest())
    assert desk.digest() != desk.digest(B)
    desk.refusal(me=B)


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


def test_approvals_that_others_can_write_do_not_count(desk: Desk) -> None:
    desk.obtain(desk.digest())
    (desk.folder / FILE).chmod(0o662)
    assert "others than its owner" in desk.refusal().message


def text(one: Scenario, me: str, changes: Sequence[str] = (), warnings: Sequence[str] = ()) -> str:
    """All that a party is shown."""
    table = load_owner_table(one, me) if one.parties[me].role == "owner" else None
    words = []
    for block in asked_and_read(one, me, table, PUBLICS, changes, warnings):
        words.append(block.text if isinstance(block, Line) else "\n".join((block.title, *map(" | ".join, block.rows))))
    return "\n".join(words)


def test_what_is_shown_to_an_owner(desk: Desk) -> None:
    """What else is shown, before its data are read, is in `tests/run/expected`."""
    shown = text(desk.scenario, A, ["epochs: 4 here, 3 there"], ["repeat: again"])
    for words in (
        "columns, as far as all owners have them | years, dose, marker",
        "rows | 60: 48 to train on, 12 held out",
        "with two owners each can subtract its own part",
        "epochs: 4 here, 3 there",
        "repeat: again",
    ):
        assert words in shown, words


def test_no_setting_that_counts_is_left_out(desk: Desk) -> None:
    desk.edit("[task]\n", '[task]\ncategories.years = ["1", "2"]\nfeatures = ["years", "dose"]\npositive = "1"\n')
    shown = settings_shown(desk)
    task = {key: value for key, value in desk.scenario.agreement()["task"].items() if value is not None}
    assert {row[0] for row in shown} == {"seed", *task} - {"inference", "newton_steps"}
    assert ("min_cell", "5") in shown  # the scenario does not say it: what is not said counts, too
    assert ("categories", 'years = ["1", "2"]') in shown


def test_a_fit_is_not_said_to_be_a_training(desk: Desk) -> None:
    desk.path = write_scenario(desk.folder, reveal=["inference"])
    shown = {row[0]: row[1] for row in settings_shown(desk)}
    assert shown["newton_steps"] == "14" and not {"solver", "epochs", "learning_rate", "l2"} & set(shown)


def settings_shown(desk: Desk) -> Sequence[Sequence[str]]:
    """The table of settings that is shown before an approval."""
    blocks = consent_blocks(desk.scenario, HELPER, PUBLICS)
    (grid,) = [block for block in blocks if isinstance(block, Grid) and block.title == "What is computed"]
    return grid.rows


def test_tables_of_settings_are_shown_as_a_scenario_has_them() -> None:
    assert setting_text({"age": {"from": 0.0, "to": 110.0, "step": 0.5}}) == "age = { from = 0, to = 110, step = 0.5 }"
    assert setting_text([["a", "b"], ["a", "c"]]) == '["a", "b"], ["a", "c"]'
    assert (setting_text([]), setting_text(["a", "b"]), setting_text(True)) == ("none", "a, b", "true")


def test_a_query_and_a_test_seed_are_shown(desk: Desk) -> None:
    desk.edit(
        'data = "hospital_a.csv"', 'data = { database = "x.duckdb", sql = "select *\\nfrom everyone" }\nrows = 60'
    )
    desk.path.write_text(desk.path.read_text() + "[testing]\ninsecure_seed = 3\n")
    blocks = consent_blocks(desk.scenario, A, PUBLICS)
    words = "\n".join(block.text for block in blocks if isinstance(block, Line))
    assert "THIS SCENARIO PROTECTS NOTHING" in words
    rows = [row for block in blocks if isinstance(block, Grid) for row in block.rows]
    assert ("read", "x.duckdb, by the query below") in rows
    assert "The query, 2 lines:\n1 | select *\n2 | from everyone" in words
    assert ("columns, as far as all owners have them", "every column of numbers") in rows
    assert ("rows", "60: 48 to train on, 12 held out") in rows


def test_the_whole_plan_is_shown_where_rows_are_stated(desk: Desk) -> None:
    desk.edit('data = "hospital_a.csv"', 'data = "hospital_a.csv"\nrows = 60')
    desk.edit('data = "hospital_b.csv"', 'data = "hospital_b.csv"\nrows = 67')
    desk.edit("[task]\n", '[task]\nfeatures = ["years", "dose"]\n')
    one = desk.scenario
    settings, plan = planned(one)
    blocks = consent_blocks(one, A, PUBLICS)
    for block in plan_tables(plan, settings, one):
        assert block in blocks
    assert plan.digest in text(one, A)


def test_what_does_not_fit_assumed_rows_is_shown_as_declared(desk: Desk) -> None:
    desk.edit("learning_rate = 0.5", "learning_rate = 1e6")
    assert "Revealed to hospital_a, hospital_b: model, metrics." in text(desk.scenario, HELPER)


def query_shown(desk: Desk, sql: str) -> list[str]:
    """The lines of the query, as they are printed."""
    desk.edit('data = "hospital_a.csv"', f"rows = 60\ndata = {{ database = 'x.duckdb', sql = {json.dumps(sql)} }}")
    printed = io.StringIO()
    print_blocks(consent_blocks(desk.scenario, A, PUBLICS), Console(file=printed, width=100))
    return [line for line in printed.getvalue().splitlines() if re.match(r" *\d* [|+] ", line)]


def test_a_query_cannot_hide_behind_a_comment(desk: Desk) -> None:
    hidden = "select * from p -- plain\n" + "\n" * 900 + "union all\rselect read_text('k')"
    assert query_shown(desk, hidden) == [
        "  1 | select * from p -- plain",
        "    | (900 lines without text)",
        "902 | union all",
        "903 | select read_text('k')",
    ]


def test_a_query_moves_no_cursor_and_hides_behind_no_blanks(desk: Desk) -> None:
    shown = query_shown(desk, "select 1 \x1b[2K\x1b[A\u202e\u2028x\tfrom p" + " " * 60 + "union all select 2 --\x85")
    assert shown[0].startswith(r"1 | select 1 \x1b[2K\x1b[A\u202e\u2028x\tfrom p")
    assert "".join(line[4:] for line in shown).endswith(r"    union all select 2 --\x85")
    assert all(len(line) <= 100 for line in shown)


def test_model_roster_signer_and_session_are_shown(desk: Desk) -> None:
    desk.edit('data = "hospital_a.csv"', 'data = "hospital_a.csv"\nmodel = "shares/x.share"')
    desk.edit("[task]\n", '[task]\nreveal = ["metrics"]\n')
    roster = '[roster]\nfile = "keys.toml"\nsigned_by = "bl1-admin"\n[session]\ndeadline = 7.5\npatience = 3.0\n'
    desk.path.write_text(desk.path.read_text() + roster)
    shown = text(desk.scenario, A)
    for words in (
        "its share of the model, a file | shares/x.share",
        "The keys come from the roster keys.toml",
        "can change all of them",
        "bl1-admin",
        "for the others to come (connect_timeout) | 60 s",
        "for a message (deadline) | 7.5 s",
        "for a lost connection to come back (patience) | 3 s",
    ):
        assert words in shown, words
