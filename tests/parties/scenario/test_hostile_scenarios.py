"""What `mpc party` makes of a malicious partner's scenario, one by one: shown or refused, in a sentence, at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import duckdb
import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from parties.cli.command import carry_out
from parties.doctor import owners as doctor
from parties.doctor import star as star_doctor
from parties.scenario.models import Table
from parties.session import take_part
from parties.tasks.registry import load_any
from parties.trust.consent import consent_digest
from tests.parties.hostile_federated import FEDERATED
from tests.parties.hostile_scenarios import ASKED, SCENARIOS, Hostile
from tests.parties.hostile_sums import SUMS
from tests.run.apart import separate
from tests.run.federated import write_federated
from tests.run.sums import write_separate

ADDED = "[session]\nconnect_timeout = 0.2\n"


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """By who is asked, or by kind: a scenario of machines of their own, beside a database, a pipe and links out."""
    owners = in_a_study(tmp_path_factory.mktemp("home"), separate, "hospital_a")
    sums = in_a_study(tmp_path_factory.mktemp("home"), write_separate, "c1")
    federated = in_a_study(tmp_path_factory.mktemp("home"), write_federated, "c1")
    for star, wait in ((sums, 40), (federated, 30)):
        star.write_text(star.read_text().replace(f"connect_timeout = {wait}.0", "connect_timeout = 0.2"))
        (star.parent / "keys" / "approved.json").unlink()
    return {"hospital_a": owners, "c1": sums, "server": sums, "federated": federated}


def in_a_study(home: Path, write: Callable[[Path], Path], owner: str) -> Path:
    folder = home / "study"
    folder.mkdir()
    path = write(folder)
    (home / "secret.csv").write_text((folder / f"{owner}.csv").read_text())
    (folder / "link.csv").symlink_to(home / "secret.csv")
    (folder / "away").symlink_to(home)
    os.mkfifo(folder / "pipe.csv")
    with duckdb.connect(str(folder / "x.duckdb")) as connection:
        connection.execute("create table p as select 1 as a")
        connection.execute("create view v as select content as a from read_text('/etc/hostname')")
    return path


def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mpc", *map(str, words)])
    code = carry_out()
    out, err = capfd.readouterr()
    return code, out, err


def present(home: Path) -> set[Path]:
    return {entry for entry in home.rglob("*") if "keys" not in entry.parts}


@pytest.mark.parametrize("one", [*SCENARIOS, *SUMS, *FEDERATED], ids=lambda one: one.what)
def test_it_ends_in_a_sentence_and_reaches_nothing(
    studies: Mapping[str, Path],
    one: Hostile,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    study, me = studies[one.study or one.me], one.me
    folder, home = study.parent, study.parent.parent
    path = folder / "hostile.toml"
    text = study.read_text()
    path.write_text(one.text(text if "[session]" in text + str(one.changes) else text + ADDED, folder, home))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(take_part, "_LINGER", 0.0)
    for doctors in (doctor, star_doctor):
        monkeypatch.setattr(doctors, "_links", lambda *_: None)
    before = present(home)
    party = ("party", path, "--as", me, "--keys", folder / "keys", "--out", tmp_path / "out")
    look = ("doctor", path, "--as", me, "--keys", folder / "keys")
    code, out, err = run(monkeypatch, capfd, *party)
    said, shown = " ".join(err.split()), " ".join(out.split())
    code_expected, says = one.ends
    assert code == code_expected and any(each in said for each in says.split("|")), (code, err)
    if says == ASKED:
        assert f"what {me} is asked to take part in. Nothing has been opened or sent." in shown
        assert all(" ".join(words.split()) in shown for words in one.shows), out
    else:
        assert out == "" and one.approved is None
    everything = out + err
    code, out, err = run(monkeypatch, capfd, *look)
    assert code == code_expected and any(each in " ".join((out + err).split()) for each in says.split("|")), (out, err)
    everything += out + err
    if one.approved is not None:
        digest = consent_digest(load_any(path), me)
        code, out, err = run(monkeypatch, capfd, *party, "--approve", digest)
        assert code == one.approved[0] and one.approved[1] in " ".join(err.split()), (code, err)
        everything += out + err
        code, out, err = run(monkeypatch, capfd, *look)
        assert code == one.approved[0] and one.approved[1] in " ".join(out.split()), (code, out, err)
        everything += out + err
    for line in everything.split("\n"):
        assert line.isprintable(), ascii(line)
    assert "Traceback" not in everything and "a bug" not in everything
    assert "secret" not in {entry.stem for entry in tmp_path.rglob("*")}
    assert present(home) == before


def test_there_are_sixty_of_them_of_each_kind() -> None:
    every = [*SCENARIOS, *SUMS, *FEDERATED]
    assert len(SCENARIOS) >= 60 and len(SUMS) >= 60
    assert len({one.what for one in every}) == len(every)


def test_every_number_has_bounds() -> None:
    """Whatever a partner writes, what is made of it is a number that the rest of the program was meant for."""
    without = [
        f"{model.__name__}.{name}"
        for model in tables(Table)
        for name, one in model.model_fields.items()
        if unbounded(one.annotation, one.metadata)
    ]
    assert without == []


def tables(of: type[Table]) -> Iterator[type[Table]]:
    for model in of.__subclasses__():
        yield model
        yield from tables(model)


def unbounded(kind: Any, metadata: Sequence[Any]) -> bool:
    """Whether a number that may stand there, however deep in lists, has no smallest or no largest value."""
    if kind in (int, float):
        ends = {type(limit).__name__.lower()[0] for limit in metadata if type(limit) in (Ge, Gt, Le, Lt)}
        return ends != {"g", "l"}
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        limits = [limit for one in more for limit in (one.metadata if isinstance(one, FieldInfo) else [one])]
        return unbounded(inner, [*metadata, *limits])
    return any(unbounded(inner, metadata) for inner in get_args(kind) if get_origin(kind) is not Literal)
