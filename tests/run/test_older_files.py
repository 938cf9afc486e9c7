"""What an earlier version wrote is still read: scenarios, keys, roster, policy, sealed shares, journals.

That its records are, too, is in `test_expected_texts.py`.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.trust.keys import load
from parties.trust.share_file import Vault, journal_path, open_share
from tests.ports import free_ports
from tests.run.command import Running, approving, mpc

OLDER = Path(__file__).parent / "older"
KINDS = ("logistic", "linear", "statistics", "secure_sum", "hidden", "predict")
PARTIES = ("north", "south", "helper")


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A copy of an earlier version's files, which only their owner may read, as that version left them."""
    folder = tmp_path / "older"
    shutil.copytree(OLDER, folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_a_scenario_is_planned(older: Path, name: str) -> None:
    ran = mpc("plan", older / f"{name}.toml")
    assert (ran.code, ran.err) == (0, "")


def test_sealed_shares_score_as_they_did(older: Path) -> None:
    """By the keys, under the roster and the policy of that time; the rows scored then are counted."""
    scenario = older / "predict.toml"
    ports = iter(free_ports(3))
    scenario.write_text(re.sub(r"127\.0\.0\.1:\d+", lambda _: f"127.0.0.1:{next(ports)}", scenario.read_text()))
    runs = {
        who: Running(
            *("party", scenario, "--as", who, "--keys", older / "keys" / who, "--out", older / f"new-{who}"),
            *approving(scenario, who),
        )
        for who in PARTIES
    }
    for who, run in runs.items():
        ran = run.end()
        assert ran.code == 0, (who, ran.err)
    scores = (older / "new-north" / "north.scores.csv").read_text()
    assert scores == (OLDER / "runs" / "predict-north" / "north.scores.csv").read_text()
    assert "8 of 20" in mpc("report", older / "new-north").out


def test_a_changed_journal_is_refused(older: Path) -> None:
    """Its lines have codes, of which the share sealed the last."""
    share = older / "runs" / "hidden-north" / "north.share"
    vault = Vault("north", share.parent, load("north", older / "keys" / "north")[0].secret)
    journal = journal_path(share)
    whole = journal.read_text()
    first, second = whole.splitlines(keepends=True)
    assert open_share(share, "north", vault).journal.scored() == {"north": 4, "south": 0}
    for text in (first + second.replace('"north": 4', '"north": 3'), first, second, first + first):
        journal.write_text(text)
        with pytest.raises(UsageError, match=r"the journal of scored rows .* was changed"):
            open_share(share, "north", vault)


def test_a_policy_still_refuses(older: Path) -> None:
    """This one allows no linear regression."""
    scenario = older / "predict.toml"
    scenario.write_text((older / "linear.toml").read_text())
    keyed = re.search(r"\[roster\]\n.*?\n\n", (OLDER / "predict.toml").read_text(), re.DOTALL)
    assert keyed
    ports = iter(free_ports(3))
    text = scenario.read_text().replace("[parties.north]", f"{keyed[0]}[parties.north]")
    text = re.sub(r'(role = "\w+"\n)', lambda m: f'{m[1]}address = "127.0.0.1:{next(ports)}"\n', text)
    scenario.write_text(text)
    ran = mpc("party", scenario, "--as", "north", "--keys", older / "keys" / "north", *approving(scenario, "north"))
    assert ran.code == 2
    assert "policy.toml" in ran.err
    assert "kinds" in ran.err
