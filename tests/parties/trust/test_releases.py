"""The list of releases: each run is noted before and after, and repeats and near-repeats are warned of."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc.errors import UsageError
from mpc.runtime.interfaces import Revealed
from mpc.runtime.trace import Trace
from parties.data.table import Table, load_owner_table
from parties.scenario.file import Scenario
from parties.tasks.registry import load_scenario
from parties.trust import releases as module
from parties.trust.releases import FILE, NEAR, Release, Releases, release_of
from parties.trust.row_sketch import estimate_difference, sketch_key, sketch_of
from tests.run.scenarios import write_scenario

MODEL = Revealed("model", ("hospital_a", "hospital_b"), (4,), "the result")
SUMS = Revealed("feature means", ("hospital_a", "hospital_b"), (3,), "scaling")
RUN = Release(
    time="2026-05-10T12:00:00+00:00",
    scenario="small",
    digest="d",
    session="s1",
    party="hospital_a",
    owners=("hospital_a", "hospital_b"),
    data="x",
    rows=60,
    columns=("dose", "years"),
    revealed=("model",),
)


def run(folder: Path, one: Release, revealed: Sequence[Revealed] = (MODEL,)) -> list[str]:
    """Note a whole run; returns the warnings."""
    said: list[str] = []
    with Releases(folder).noting(one, revealed, said.append) as noting:
        noting.opening()
    return said


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def test_a_run_is_noted_before_and_after(tmp_path: Path) -> None:
    revealed: list[Revealed] = []
    with Releases(tmp_path).noting(replace(RUN, revealed=("feature means", "model")), revealed, print) as noting:
        assert lines(tmp_path) == []
        noting.opening()
        noting.opening()
        (before,) = lines(tmp_path)
        assert (before["status"], before["revealed"]) == ("started", ["feature means", "model"])
        revealed += [SUMS, MODEL, MODEL]
    _, after = lines(tmp_path)
    assert (after["status"], after["revealed"]) == ("done", ["feature means", "model"])
    assert {key: after[key] for key in ("session", "data", "rows", "columns", "scenario", "digest")} == {
        "session": "s1",
        "data": "x",
        "rows": 60,
        "columns": ["dose", "years"],
        "scenario": "small",
        "digest": "d",
    }
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_failed_run_notes_what_it_had_revealed(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), Releases(tmp_path).noting(RUN, [SUMS], print) as noting:
        noting.opening()
        raise ZeroDivisionError
    assert (lines(tmp_path)[-1]["status"], lines(tmp_path)[-1]["revealed"]) == ("failed", ["feature means"])
    assert len(Releases(tmp_path).warnings(RUN)) == 1


@pytest.mark.parametrize("end", [ZeroDivisionError, KeyboardInterrupt, None])
def test_a_run_that_opened_nothing_is_no_release(tmp_path: Path, end: type[BaseException] | None) -> None:
    with suppress(ZeroDivisionError, KeyboardInterrupt), Releases(tmp_path).noting(RUN, [], print):
        if end is not None:
            raise end
    assert lines(tmp_path) == []
    assert Releases(tmp_path).warnings(RUN) == []


def test_a_run_that_was_killed_counts_once_it_opened_something(tmp_path: Path) -> None:
    run(tmp_path, RUN)
    started, _ = (tmp_path / FILE).read_text().splitlines(keepends=True)
    (tmp_path / FILE).write_text(started)
    assert len(Releases(tmp_path).warnings(RUN)) == 1


def test_a_repeat_is_warned_of_with_its_date_and_scenario(tmp_path: Path) -> None:
    assert run(tmp_path, RUN) == []
    when = lines(tmp_path)[-1]["time"][:10]
    (said,) = run(tmp_path, replace(RUN, session="s2", scenario="other", digest="e"))
    assert said.startswith("repeat: ") and f"once, on {when} (scenario 'small')" in said
    (said,) = Releases(tmp_path).warnings(RUN)
    assert f"2 times, last on {when} (scenario 'other')" in said


@pytest.mark.parametrize("rows", [60 - NEAR + 1, 59, 60, 60 + NEAR - 1])
def test_a_near_repeat_is_warned_of(tmp_path: Path, rows: int) -> None:
    run(tmp_path, RUN)
    (said,) = Releases(tmp_path).warnings(replace(RUN, data="y", rows=rows))
    assert said.startswith("near-repeat: ") and f"(60 then, {rows} now)" in said
    assert "reveal their difference" in said


@pytest.mark.parametrize(
    "other",
    [
        {"data": "y", "rows": 60 - NEAR},
        {"data": "y", "rows": 60 + NEAR},
        {"owners": ("hospital_a", "hospital_c")},
        {"owners": ("hospital_a", "hospital_b", "hospital_c")},
        {"columns": ("dose",)},
        {"party": "hospital_b"},
    ],
)
def test_what_is_neither_is_not_warned_of(tmp_path: Path, other: dict[str, Any]) -> None:
    run(tmp_path, RUN)
    assert Releases(tmp_path).warnings(replace(RUN, **other)) == []


@pytest.mark.parametrize("bad", [b"{", b"[]", b"7", b'{"rows": 3}', b'"x"', b"\xff"])
def test_unreadable_lines_are_named_and_the_others_count(tmp_path: Path, bad: bytes) -> None:
    run(tmp_path, RUN)
    path = tmp_path / FILE
    path.write_bytes(bad + b"\n" + path.read_bytes())
    first, second = Releases(tmp_path).warnings(RUN)
    assert first == f"{path}: these lines cannot be read, and are not compared with: 1"
    assert second.startswith("repeat: ")


@pytest.mark.parametrize("change", [{"rows": "60"}, {"rows": True}, {"time": 3}, {"columns": [3]}, {"more": 1}])
def test_a_line_with_something_else_in_it_cannot_be_read(tmp_path: Path, change: dict[str, Any]) -> None:
    run(tmp_path, RUN)
    (tmp_path / FILE).write_text(json.dumps({**lines(tmp_path)[0], **change}) + "\n")
    (said,) = Releases(tmp_path).warnings(RUN)
    assert "cannot be read" in said


def test_a_line_that_a_crash_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    run(tmp_path, RUN)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes() + b'{"time": "20')
    first, second = run(tmp_path, replace(RUN, session="s2"))
    assert first.endswith(": 3") and second.startswith("repeat: ")
    assert "2 times" in Releases(tmp_path).warnings(RUN)[1]


def test_a_list_that_others_can_read_is_refused(tmp_path: Path) -> None:
    run(tmp_path, RUN)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(UsageError, match="others than its owner can read"):
        Releases(tmp_path)


def test_a_list_that_cannot_be_written_is_met_before_the_run(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir(mode=0o700)
    with pytest.raises(UsageError, match="cannot be read"):
        Releases(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        Releases(tmp_path / "nowhere")


def test_nothing_is_opened_if_the_run_cannot_be_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Releases(tmp_path)
    monkeypatch.setattr(module, "append_private", _full)
    trace = Trace(lambda *_: None)
    with opened.noting(RUN, trace.reveals, print) as noting:
        trace.opening = noting.opening
        with pytest.raises(UsageError, match="disk is full"):
            trace.revealed(MODEL)
    assert trace.reveals == []


def test_an_end_that_cannot_be_noted_leaves_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with Releases(tmp_path).noting(RUN, [MODEL], said.append) as noting:
        noting.opening()
        monkeypatch.setattr(module, "append_private", _full)
    assert said == ["the disk is full"]
    assert [line["status"] for line in lines(tmp_path)] == ["started"]


def _full(*_: object) -> None:
    raise UsageError("the disk is full")


@pytest.fixture
def small(tmp_path: Path) -> Scenario:
    return load_scenario(write_scenario(tmp_path))


def table(scenario: Scenario) -> Table:
    return load_owner_table(scenario, "hospital_a")


def test_an_entry_says_which_data_by_a_digest_of_what_is_used(small: Scenario) -> None:
    one = release_of(small, table(small), ("years", "dose"), "s", [SUMS, MODEL])
    assert one == replace(
        RUN, time=one.time, digest=small.digest, session="s", data=one.data, revealed=("feature means", "model")
    )
    assert one.data == release_of(small, table(small), ("dose", "years")).data
    assert one.data != release_of(small, table(small), ("dose", "years", "marker")).data
    values = np.array(table(small).values)
    text = json.dumps(one.__dict__)
    assert not any(repr(float(value)) in text for value in values.ravel())


def rows_of(count: int, seed: int = 0) -> NDArray[np.float64]:
    rows = np.random.default_rng(seed).normal(size=(count, 3))
    rows[::5, 1] = np.nan
    return rows


@pytest.mark.parametrize("changed", [0, 1, 3, 40])
def test_a_sketch_tells_about_how_many_rows_differ(changed: int) -> None:
    key, rows = b"k" * 32, rows_of(2000)
    fewer = rows[np.random.default_rng(1).permutation(2000)][changed:]
    about = estimate_difference(sketch_of(rows, key), sketch_of(fewer, key))
    assert about is not None and abs(about - changed) <= 0.3 * changed
    other = estimate_difference(sketch_of(rows, key), sketch_of(rows_of(2000, 7), key))
    assert other is not None and other > 2500
    assert sketch_of(rows, b"l" * 32) != sketch_of(rows, key) and estimate_difference("", sketch_of(rows, key)) is None


def test_a_few_exchanged_rows_are_a_near_repeat_and_others_none(tmp_path: Path) -> None:
    key, rows = sketch_key(tmp_path), rows_of(60)
    assert stat.S_IMODE((tmp_path / "releases.key").stat().st_mode) == 0o600 and sketch_key(tmp_path) == key
    run(tmp_path, replace(RUN, sketch=sketch_of(rows, key)))
    assert Releases(tmp_path).warnings(replace(RUN, data="y", sketch=sketch_of(rows_of(60, 1), key))) == []
    rows[:3, 0] += 1
    (said,) = Releases(tmp_path).warnings(replace(RUN, data="y", sketch=sketch_of(rows, key)))
    assert said.startswith("near-repeat") and "of them in one and not in the other" in said
    far = replace(RUN, data="y", sketch=sketch_of(rows_of(60)[15:], key), rows=45)
    assert Releases(tmp_path).warnings(far) == []
    (said,) = Releases(tmp_path).warnings(replace(far, near=25))
    assert "by fewer than 25 in number" in said


def test_a_key_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "releases.key").write_bytes(b"short")
    (tmp_path / "releases.key").chmod(0o600)
    with pytest.raises(UsageError, match=r"releases\.key is not a key"):
        Releases(tmp_path)
