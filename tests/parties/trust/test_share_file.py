"""A share's file and its journal: what the training wrote opens; what is missing, changed or another's does not."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import UsageError
from mpc.ring.fixed_point import decode
from mpc.sharing.share import Share
from parties.trust.share_file import OpenShare, Vault, journal_path, key_path, open_share, read_bound, write_share
from protocols.evaluation.shared_model import kept_scale
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.limits import X_SCALE
from tests.parties.shares import OWNERS, bound, models, write_shares

A, B = OWNERS
WEIGHTS = (1.5, -2.0, 0.25, 0.5)
SECRET = b"k" * 40


def opened(path: Path, me: str = A, secret: bytes | None = None) -> OpenShare:
    return open_share(path, me, Vault(me, path.parent, secret))


def refusal(path: Path, me: str = A, secret: bytes | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        opened(path, me, secret)
    assert "\n" not in caught.value.message and caught.value.hint
    return caught.value.message


def test_what_was_written_opens_and_the_shares_make_the_model(tmp_path: Path) -> None:
    paths = write_shares(tmp_path / "run", WEIGHTS)
    shares = [opened(path, name) for name, path in paths.items()]
    total = shares[0].model.weights.value + shares[1].model.weights.value
    assert np.abs(decode(total, kept_scale(3)) - WEIGHTS).max() < 1e-6
    assert shares[0].bound == bound(A) == read_bound(paths[A], A)
    assert shares[0].journal.scored() == {}
    for path in (*(tmp_path / "run").iterdir(),):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert repr(shares[0].secret.hex()) not in repr(shares[0])


def test_units_of_every_kind_come_back_as_they_were(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    shift = Share(draw.integers(0, 2**64, size=3, dtype=np.uint64), X_SCALE)
    units = Units(draw.normal(size=3), draw.uniform(1, 2, size=3), shift, draw.normal(size=3), 1.25)
    model = SharedModel(models(WEIGHTS)[A].weights, units)
    write_share(tmp_path / "a.share", bound(A, standardise="private"), model, Vault(A, tmp_path))
    back = opened(tmp_path / "a.share").model
    for ours, theirs in ((back.units, units),):
        assert (ours.mean == theirs.mean).all() and (ours.scale == theirs.scale).all()
        assert (ours.centre == theirs.centre).all() and ours.slack == theirs.slack
        assert (ours.shift.value == theirs.shift.value).all() and ours.shift.scale == theirs.shift.scale
    assert (back.weights.value == model.weights.value).all() and back.weights.scale == model.weights.scale


def test_nothing_of_the_model_is_in_the_clear(tmp_path: Path) -> None:
    """Of two models, the files differ in the sealed part alone: as long, and else the same."""
    kept = []
    for k, weights in enumerate(((0.0, 0.0, 0.0, 0.0), (1e3, -1e3, 5.0, -2.0))):
        path = write_shares(tmp_path / str(k), weights, seed=k)[A]
        fields = json.loads(path.read_text())
        kept.append({key: value for key, value in fields.items() if key not in ("sealed", "nonce")})
        assert fields["sealed"] not in ("", kept)
    assert kept[0] == kept[1]


CHANGES: dict[str, Any] = {
    "model": "0" * 32,
    "scenario": "00" * 32,
    "owners": ["hospital_a", "hospital_c"],
    "keys": {"hospital_a": "bl1-x"},
    "partition": "vertical",
    "standardise": True,
    "features": ["years", "dose", "marker2"],
    "columns": {"hospital_a": ["years"]},
    "terms": ["years", "dose", "marker2"],
    "categories": {"dose": ["1", "2"]},
    "dates": "days",
}


@pytest.mark.parametrize("key", CHANGES)
def test_all_that_a_share_is_bound_to_is_bound(tmp_path: Path, key: str) -> None:
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    fields = json.loads(path.read_text())
    assert fields[key] != CHANGES[key]
    path.write_text(json.dumps({**fields, key: CHANGES[key]}))
    assert refusal(path) == f"{path} does not open: it was changed, or is sealed under another key"


def test_a_changed_bit_anywhere_in_the_sealed_part_is_found(tmp_path: Path) -> None:
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    fields = json.loads(path.read_text())
    for key, place in (("sealed", 0), ("sealed", 200), ("nonce", 3)):
        text = fields[key]
        other = text[:place] + ("1" if text[place] != "1" else "2") + text[place + 1 :]
        path.write_text(json.dumps({**fields, key: other}))
        assert "does not open" in refusal(path)


def test_another_partys_share_and_another_key(tmp_path: Path) -> None:
    paths = write_shares(tmp_path / "run", WEIGHTS)
    assert refusal(paths[B]) == f"{paths[B]} is the share of {B}, not of {A}"
    fields = json.loads(paths[B].read_text())
    paths[A].write_text(json.dumps({**fields, "party": A}))
    assert "does not open" in refusal(paths[A])
    other = write_shares(tmp_path / "other", WEIGHTS)
    shutil.copy(key_path(other[B]), key_path(paths[B]))
    assert "does not open" in refusal(paths[B], B)


def test_a_share_of_mpc_party_opens_with_its_identity_alone(tmp_path: Path) -> None:
    vaults = {name: Vault(name, tmp_path / "run", name.encode() * 4) for name in OWNERS}
    path = write_shares(tmp_path / "run", WEIGHTS, vaults=vaults, sealed_by="identity")[A]
    assert opened(path, A, A.encode() * 4).bound.model
    assert not key_path(path).exists()
    assert "does not open" in refusal(path, A, B.encode() * 4)
    assert refusal(path) == f"{path} is sealed under the key file of {A}"


def test_files_that_are_none_or_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "a.share"
    assert refusal(path) == f"there is no share of a model {path}"
    for text in ("", "{}", "[1]", '{"schema": 1, "what": "share of a model"}', "\x00"):
        path.write_text(text)
        path.chmod(0o600)
        assert refusal(path) == f"{path} is no share of a model"
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    path.chmod(0o640)
    assert refusal(path) == f"others than its owner can read {path}"
    path.chmod(0o600)
    key_path(path).unlink()
    assert refusal(path) == f"there is no key file {key_path(path)}"
    key_path(path).write_text("xyz")
    key_path(path).chmod(0o600)
    assert refusal(path) == f"{key_path(path)} is no key of a share"


def test_a_share_is_never_written_over(tmp_path: Path) -> None:
    paths = write_shares(tmp_path / "run", WEIGHTS)
    before = paths[A].read_bytes()
    with pytest.raises(UsageError, match="is there already") as caught:
        write_shares(tmp_path / "run", WEIGHTS)
    assert "a model that is lost" in caught.value.hint
    assert paths[A].read_bytes() == before
    paths[A].unlink()
    with pytest.raises(UsageError, match=r"\.key is there already"):
        write_shares(tmp_path / "run", WEIGHTS)


def count(path: Path, rows: dict[str, int], most: int = 10) -> None:
    opened(path).count("s1", rows, most)


def test_rows_are_counted_across_openings(tmp_path: Path) -> None:
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    for _ in range(3):
        count(path, {A: 2, B: 0})
    count(path, {A: 0, B: 4})
    assert opened(path).journal.scored() == {A: 6, B: 4}
    with pytest.raises(UsageError, match=f"{A} had other rows scored meanwhile"):
        count(path, {A: 5, B: 1})
    assert opened(path).journal.scored() == {A: 6, B: 4}


def test_two_runs_at_once_are_counted_one_after_the_other(tmp_path: Path) -> None:
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    first, second = opened(path), opened(path)
    first.count("s1", {A: 6}, 10)
    with pytest.raises(UsageError, match="had other rows scored meanwhile"):
        second.count("s2", {A: 6}, 10)
    second.count("s2", {A: 4}, 10)
    assert opened(path).journal.scored() == {A: 10}


def test_a_journal_missing_cut_changed_or_anothers_is_refused(tmp_path: Path) -> None:
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    journal = journal_path(path)
    for k in range(3):
        count(path, {A: k})
    whole = journal.read_text()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 4
    broken = {
        "is missing": None,
        "is empty": "",
        "is shorter than it was": "".join(lines[:3]),
        "is shorter than it was, or": "".join((*lines[:2], lines[3])),
        "was changed: its lines add up to other rows": whole.replace('"hospital_a": 2', '"hospital_a": 1'),
        "its lines add up to other rows than": "".join((*lines[:3], lines[0])),
        "was changed, in line 1": "\n" + whole,
        "was changed, in line 5": whole + lines[3].replace(": 2}", ": -2}"),
    }
    for words, text in broken.items():
        if text is None:
            journal.unlink()
        else:
            journal.write_text(text)
            journal.chmod(0o600)
        said = refusal(path)
        assert str(journal) in said and words in said
    shutil.copy(journal_path(write_shares(tmp_path / "other", WEIGHTS)[A]), journal)
    assert "of another share" in refusal(path)
    journal.write_text(whole)
    assert opened(path).journal.scored() == {A: 3}
    journal.chmod(0o644)
    assert "others than its owner can read" in refusal(path)


def test_a_kill_leaves_a_line_that_counts_or_an_unfinished_one(tmp_path: Path) -> None:
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    count(path, {A: 3})
    before = path.read_bytes()
    count(path, {A: 2})
    whole = journal_path(path).read_text()
    path.write_bytes(before)  # killed between the journal and the share's mark
    assert opened(path).journal.scored() == {A: 5}
    journal_path(path).write_text(whole[:-20])  # killed while the line was written: nothing had been opened
    assert opened(path).journal.scored() == {A: 3}
    count(path, {A: 4})
    assert opened(path).journal.scored() == {A: 7}


def test_the_line_is_on_the_disk_before_the_count_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    share, synced = opened(path), []

    def fsync(descriptor: int, real: Any = os.fsync) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    share.count("s1", {A: 1}, 3)
    assert synced[0] == str(journal_path(path)) and len(synced) == 3
    assert Path(synced[1]).parent == path.parent and Path(synced[1]) != path and synced[2] == str(path.parent)


def test_a_full_disk_stops_the_run_before_anything_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_shares(tmp_path / "run", WEIGHTS)[A]
    share = opened(path)

    def fsync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UsageError, match="cannot be written: No space left on device"):
        share.count("s1", {A: 1}, 3)
