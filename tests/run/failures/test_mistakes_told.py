"""What the peers are told of an owner's mistake: code, party and stage, in their logs and in the frames; no more."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from mpc.links.session import Frame
from mpc.links.wire import ABORT
from mpc.links.zmq.transport import Transport
from parties.session import take_part
from parties.tasks.registry import load_scenario
from tests.examples import sample
from tests.run.command import mpc, record
from tests.run.failures.test_mistakes import QUICK, check
from tests.run.mistakes import (
    B_DATA,
    PARTIES,
    SECRET,
    Edit,
    Mistake,
    all_of,
    cell,
    column,
    same_data,
    scenario,
    task,
    text,
    without,
    write_folder,
)
from tests.run.threads import run_in_threads

RUN = "run small.toml --out record --no-compare"

ONE_OWNERS = {
    "a word in a column": Mistake(RUN, 3, ["hospital_b, hospital_b.csv: ", "'years'"], cell("years", SECRET)),
    "no such file": Mistake(RUN, 3, ["there is no file"], without("hospital_b.csv")),
    "a repeated id": Mistake(RUN, 3, ["'patient' repeats"], cell("patient", "hospital_b1")),
    "a level that is not listed": Mistake(
        RUN,
        3,
        ["'years' holds 1 value", "in 1 row"],
        all_of(
            column("years", lambda row, _: SECRET if row == 9 else "I"),
            text("hospital_a.csv", ("years", "former"), ("dose", "years")),
            lambda folder: _all_first_level(folder / "hospital_a.csv"),
            task('categories.years = ["I", "II"]'),
        ),
    ),
    "a target of words": Mistake(
        RUN, 3, ["'outcome' must hold"], column("outcome", lambda _, old: ("well", SECRET)[int(old)])
    ),
    "missing values": Mistake(RUN, 3, ["1 in column 'dose'"], cell("dose", "")),
    "values too large for fixed point": Mistake(
        RUN,
        3,
        ["hospital_b: column years has values beyond 1024"],
        all_of(cell("years", "2000"), task("standardise = false")),
    ),
}
"""Mistakes that hospital_b alone can see."""


@pytest.mark.parametrize("name", sample(ONE_OWNERS, "a level that is not listed", "values too large for fixed point"))
def test_what_the_peers_logs_say(tmp_path: Path, name: str) -> None:
    mistake = ONE_OWNERS[name]
    write_folder(tmp_path)
    mistake.spoil(tmp_path)
    ran = mpc(*mistake.words.split(), cwd=tmp_path)
    assert ran.seconds < QUICK
    check(mistake, ran.code, ran.err)
    fields = record(tmp_path / "record")
    assert (fields["status"], fields["error"]["code"], fields["error"]["party"]) == ("failed", "data", "hospital_b")
    own = (tmp_path / "record" / "hospital_b.log").read_text()
    for words in mistake.says:
        assert words in own
    assert SECRET not in own
    for peer in ("hospital_a", "helper"):
        log = (tmp_path / "record" / f"{peer}.log").read_text()
        assert "hospital_b stopped the run in stage '" in log
        assert _details(log) == []


def test_a_column_that_is_constant_everywhere(tmp_path: Path) -> None:
    """Every owner sees it, from what was opened to the owners; the helper hears that there was something."""
    write_folder(tmp_path)
    all_of(column("dose", lambda *_: "1.5"), same_data())(tmp_path)
    ran = mpc(*RUN.split(), cwd=tmp_path)
    check(Mistake(RUN, 3, ["column dose has the same value in all training rows"]), ran.code, ran.err)
    assert _details((tmp_path / "record" / "helper.log").read_text()) == []


def test_what_is_no_mistake_but_odd_ends_well(tmp_path: Path) -> None:
    write_folder(tmp_path)
    all_of(column("outcome", lambda *_: "0"), same_data(), cell("years", ""), task('missing = "mean"'))(tmp_path)
    ran = mpc(*RUN.split(), cwd=tmp_path)
    assert ran.code == 0, ran.err
    fields = record(tmp_path / "record")
    assert fields["metrics"]["train"]["auc"] is None
    assert fields["metrics"]["train"]["positives"] == 0
    for owner in ("hospital_a", "hospital_b"):
        assert f"{owner}: the target is 0 in all training rows of all owners" in ran.err
        assert "the target is 0 in all of this owner's rows" in (tmp_path / "record" / f"{owner}.log").read_text()
        assert f"{owner}: missing values, replaced by the column's mean over this owner's rows: 1 in col" in ran.err


def test_data_as_hospitals_have_them(tmp_path: Path) -> None:
    """One scenario, three ways to write the same things: the joint model has every level, whoever has it."""
    write_folder(tmp_path)
    rows_a = [f"a{k};{k % 7},5;{('I', 'II')[k % 2]};{('ill', 'well')[k % 3 > 0]}" for k in range(60)]
    (tmp_path / "hospital_a.csv").write_bytes("\r\n".join(["patient;größe;stage;outcome", *rows_a]).encode("latin-1"))
    rows_b = [f"{('well', 'ill')[k % 4 > 1]},{('iii', 'I', 'II')[k % 3]},{k % 5}.25,b{k}" for k in range(67)]
    gaps = [",I,1.0,b98", "well,II,,b99"]
    (tmp_path / "hospital_b.csv").write_text("\n".join(["outcome,stage,größe,patient", *rows_b, *gaps]))
    all_of(
        scenario(('data = "hospital_a.csv"', 'data = "hospital_a.csv"\ndecimal = ","\nencoding = "latin-1"')),
        scenario((B_DATA, B_DATA + "\nrows = 67")),
        task('positive = "ill"', "min_cell = 1", 'missing = "drop"', 'categories.stage = ["I", "II", "III"]'),
    )(tmp_path)
    ran = mpc("run", "small.toml", "--out", "record", cwd=tmp_path)
    assert ran.code == 0, ran.err
    fields = record(tmp_path / "record")
    assert fields["model"]["features"] == ["größe", "stage=II", "stage=III"]
    assert fields["comparison"]["pooled"]["max_abs_weight_difference"] < 1e-3
    assert sum(fields["metrics"][name]["rows"] for name in ("train", "test")) == 127
    assert "hospital_b: 2 rows dropped, as values are missing" in ran.err
    assert "dropped" not in (tmp_path / "record" / "hospital_a.log").read_text()


FRAMES: dict[str, Edit] = {
    "found before the parties meet": cell("years", SECRET),
    "found after they met": all_of(cell("years", "2000"), task("standardise = false")),
}


@pytest.mark.parametrize("spoil", FRAMES.values(), ids=FRAMES.keys())
def test_what_the_frames_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Edit) -> None:
    write_folder(tmp_path)
    spoil(tmp_path)
    sent: dict[str, list[Frame]] = {}

    class Tapped(Transport):
        """Keeps what is handed to ZeroMQ, which encrypts it next."""

        def send(self, peer: str, frame: Frame) -> None:
            sent.setdefault(threading.current_thread().name, []).append(frame)
            super().send(peer, frame)

    monkeypatch.setattr(take_part, "Transport", Tapped)
    _, errors = run_in_threads(load_scenario(tmp_path / "small.toml"), tmp_path)
    assert {name: error.code for name, error in errors.items()} == dict.fromkeys(PARTIES, "data")
    assert errors["hospital_b"].told_by is None
    for peer in ("hospital_a", "helper"):
        assert errors[peer].told_by is not None
        assert _details(str(errors[peer])) == []
    notices = [json.loads(frame.body) for frame in sent["hospital_b"] if frame.head[3] == ABORT]
    assert len(notices) == 2
    for notice in notices:
        assert set(notice) == {"code", "stage", "origin"}
        assert (notice["code"], notice["origin"]) == ("data", "hospital_b")
    everything = b"".join(frame.body for name in PARTIES for frame in sent[name])
    # The scenario's public facts name the target and the id; each owner tells how many rows it has.
    assert _details(everything.decode("latin-1"), but=("outcome", "patient", "row", "column")) == []


def _details(said: str, but: tuple[str, ...] = ()) -> list[str]:
    """What of an owner's data a text names: its file, its columns, its cells."""
    names = ("hospital_b.csv", "years", "dose", "marker", "outcome", "patient", "well", "row", "column", SECRET)
    return [name for name in names if name in said and name not in but]


def _all_first_level(path: Path) -> None:
    lines = [line.split(",") for line in path.read_text().splitlines()]
    place = lines[0].index("years")
    for line in lines[1:]:
        line[place] = "I"
    path.write_text("".join(",".join(line) + "\n" for line in lines))
