"""An owner's own list of what was released about which data: `releases.jsonl`, beside its keys.

Two runs that differ a little reveal their difference, so each run is compared with the earlier ones. A run is noted
twice: before its first opening, with all that its plan reveals, and at its end, with what it did reveal. So a run that
is killed in between counts as if it had revealed everything. A run that opened nothing is no release.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from mpc.errors import UsageError
from mpc.runtime.interfaces import Revealed
from parties.base.private_files import append_private, read_private
from parties.data.own_table import OwnTable
from parties.scenario.file import Scenario
from parties.trust.row_sketch import estimate_difference, sketch_key, sketch_of

FILE: Final = "releases.jsonl"
NEAR: Final = 10
"""Two runs whose rows differ by fewer than this, or than the scenario's `min_cell`, are near-repeats."""


@dataclass(frozen=True)
class Release:
    """One run of one owner's data.

    `data` is a digest of the rows with the columns that were used, in the order of their names.
    `status` is "started", "done" or "failed". `sketch` gives an estimate of how many rows two runs differ by
    (row_sketch.py), and `near` is the number from which they are far apart; `epsilon` is that of [privacy], or 0. A
    list of an earlier version lacks them.
    """

    time: str
    scenario: str
    digest: str
    session: str
    party: str
    owners: tuple[str, ...]
    data: str
    rows: int
    columns: tuple[str, ...]
    revealed: tuple[str, ...]
    status: str = "started"
    sketch: str = ""
    near: int = NEAR
    epsilon: float = 0.0


def release_of(
    scenario: Scenario, table: OwnTable, columns: Sequence[str], session: str = "", revealed: Sequence[Revealed] = ()
) -> Release:
    """A run's entry before it starts."""
    names = tuple(sorted(columns))
    return Release(
        time=now(),
        scenario=scenario.name,
        digest=scenario.digest,
        session=session,
        party=table.owner,
        owners=scenario.owners,
        data=table.select(names).digest,
        rows=table.rows,
        columns=names,
        revealed=_names(revealed),
        near=max(NEAR, dict(scenario.task).get("min_cell", 0)),
        epsilon=0.0 if scenario.privacy is None else scenario.privacy.epsilon,
    )


class Releases:
    """The list in one folder, as it was when it was opened.

    Raises:
        UsageError: it cannot be read or written, or others can open it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        content = _content(self.path)
        self._past, self._unreadable = _read(content)
        # A line that a crash cut off is ended here. An error shows now, not while peers wait.
        append_private(self.path, b"\n" if content and not content.endswith(b"\n") else b"")
        self._key = sketch_key(folder)

    @property
    def past(self) -> Sequence[Release]:
        """The earlier runs that released something."""
        return tuple(self._past)

    def entry(
        self,
        scenario: Scenario,
        table: OwnTable,
        columns: Sequence[str],
        session: str = "",
        revealed: Sequence[Revealed] = (),
    ) -> Release:
        """A run's entry before it starts, with the sketch of its rows."""
        run = release_of(scenario, table, columns, session, revealed)
        return replace(run, sketch=sketch_of(table.select(run.columns).numbers, self._key))

    def warnings(self, run: Release) -> list[str]:
        """Warnings of earlier runs that this one repeats or nearly repeats."""
        past = [
            one
            for one in self._past
            if one.party == run.party and set(one.owners) == set(run.owners) and one.columns == run.columns
        ]
        found = []
        if self._unreadable:
            lines = ", ".join(map(str, self._unreadable[:5]))
            found.append(f"{self.path}: these lines cannot be read, and are not compared with: {lines}")
        same = [one for one in past if one.data == run.data]
        if same:
            found.append(
                f"repeat: results of these very rows, with the same owners and features, were released {_times(same)}; "
                "each further run can say more about them"
            )
        others = [one for one in past if one.data != run.data]
        near = [one for one in others if _distance(one, run) < run.near]
        if near:
            about = estimate_difference(near[-1].sketch, run.sketch)
            how = "" if about is None else f", about {about} of them in one and not in the other"
            found.append(
                f"near-repeat: results of rows that differ from these, but by fewer than {run.near} in number "
                f"({near[-1].rows} then, {run.rows} now{how}), were released {_times(near)}; two runs that differ a "
                "little reveal their difference"
            )
        return found

    def noting(self, run: Release, revealed: Sequence[Revealed], say: Callable[[str], None]) -> NotedRun:
        """A context manager for a run.

        Args:
            run: the entry, with what the plan reveals.
            revealed: what has been revealed so far; read at the end.
            say: takes a warning.
        """
        return NotedRun(run, revealed, self.warnings(run), self._append, say)

    def _append(self, run: Release) -> None:
        append_private(self.path, (json.dumps(asdict(run)) + "\n").encode())


class NotedRun:
    """A run in its owner's list: it warns of repeats at its start, and notes the run before its first opening.

    At its end the run is noted once more, with what it did open. A run that opened nothing is not in the list.
    """

    def __init__(
        self,
        run: Release,
        revealed: Sequence[Revealed],
        warnings: Sequence[str],
        append: Callable[[Release], None],
        say: Callable[[str], None],
    ) -> None:
        self._run = run
        self._revealed = revealed
        self._warnings = warnings
        self._append = append
        self._say = say
        self._noted = False

    def opening(self) -> None:
        """Note the run before its first opening; returns once that is written.

        Raises:
            UsageError: it cannot be noted; nothing was opened then.
        """
        if not self._noted:
            self._append(self._run)
            self._noted = True

    def __enter__(self) -> NotedRun:
        for warning in self._warnings:
            self._say(warning)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._noted:
            return
        status = "done" if kind is None else "failed"
        try:
            self._append(replace(self._run, time=now(), revealed=_names(self._revealed), status=status))
        except UsageError as problem:  # the first entry stays: it lists at least as much
            self._say(problem.message)


def _distance(one: Release, other: Release) -> int:
    """A lower bound on the rows by which two runs' data differ; from their numbers of rows if one has no sketch."""
    about = estimate_difference(one.sketch, other.sketch)
    return abs(one.rows - other.rows) if about is None else about


def _content(path: Path) -> bytes:
    try:
        return read_private(path)
    except FileNotFoundError:
        return b""


def _read(content: bytes) -> tuple[list[Release], list[int]]:
    """The runs that released something, by the last line of each, and the numbers of lines that are not valid."""
    runs: dict[tuple[str, str], Release] = {}
    unreadable = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line:
            continue
        try:
            run = _release(json.loads(line))
        except (ValueError, TypeError, AttributeError, RecursionError):
            unreadable.append(number)
            continue
        runs[run.session, run.party] = run
    return [run for run in runs.values() if run.revealed or run.status == "started"], unreadable


def _release(fields: Any) -> Release:
    lists = ("owners", "columns", "revealed")
    values: dict[str, Any] = {key: tuple(value) if key in lists else value for key, value in fields.items()}
    run = Release(**values)
    texts = (run.time, run.scenario, run.digest, run.session, run.party, run.data, run.status, run.sketch)
    names = (*run.owners, *run.columns, *run.revealed)
    if (
        type(run.rows) is not int
        or type(run.near) is not int
        or type(run.epsilon) not in (int, float)
        or not all(isinstance(text, str) for text in (*texts, *names))
    ):
        raise ValueError("not a release")
    return run


def _times(runs: Sequence[Release]) -> str:
    last = runs[-1]
    often = "once" if len(runs) == 1 else f"{len(runs)} times"
    return f"{often}, {'' if len(runs) == 1 else 'last '}on {last.time[:10]} (scenario '{last.scenario}')"


def _names(revealed: Sequence[Revealed]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.what for item in revealed))


def now() -> str:
    """The time as an entry has it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
