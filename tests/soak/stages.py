"""Real runs of `mpc run` that can be met at every stage, and what must hold however they end.

Parties are stopped and killed by the scenario's own [faults], at the very stage. What a user does from outside, to the
launcher or to the terminal, is done as soon as the launcher says on its standard error that a party is in the stage:
for that, the links are made slow (`[network]`). Where a party was met is read from its own log.
"""

from __future__ import annotations

import json
import re
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.run.command import Ran, Running, record
from tests.run.scenarios import write_scenario
from tests.tiers import SOAK, Tell

PARTIES = ("hospital_a", "hospital_b", "helper")
PROMPT = SOAK.in_time(5.0)  # seconds in which every process has to be gone

ORDER = (
    *("start", "data", "connecting", "handshake", "running", "standardisation", "sharing", "dealing"),
    *("training", "range check", "model", "evaluation", "done"),
)
"""All stages, in order. What comes after the last is the launcher's: the comparison, the record and the summary."""

HELPERS = ("start", "data", "connecting", "handshake", "running", "dealing", "done")
DEALT_TO = "hospital_b"  # the last owner: the only one that waits for what the helper deals


@dataclass(frozen=True)
class Moment:
    """When something happens: in a stage, or at a step of it.

    Args:
        stage: one of `ORDER`.
        step: what the launcher says of the step, beginning with the first; nothing for the stage's beginning.
        latency: seconds, one way: by that a stage lasts longer.
        steps: how many the training has.
    """

    stage: str
    step: str = ""
    latency: float = 0.04
    steps: int = 3

    def __str__(self) -> str:
        return f"{self.stage} {self.step}".strip()

    @property
    def number(self) -> int:
        """The number of the step."""
        return int(next(iter(re.findall(r"\d+", self.step)), "0"))

    def seen(self, party: str) -> str:
        """Whose stage it is: this party's, or that of one that has it."""
        if self.stage in (HELPERS if party == "helper" else ORDER) and self.stage != "dealing":
            return party
        return "helper" if self.stage == "dealing" else DEALT_TO

    def fault(self, kind: str, victim: str, **more: Any) -> str:
        """The table of a fault that strikes a party then."""
        said = {"party": victim, "stage": self.stage, "step": self.number, "of": self.seen(victim), **more}
        return f"[[faults.{kind}]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in said.items())


MOMENTS = (
    *(Moment(stage) for stage in ORDER if stage != "training"),
    Moment("training", "0/3"),
    Moment("training", "[4-9]/12", steps=12),  # the launcher says once a second how far they are
    Moment("training", "2/3", latency=0.25),
)


def settings(moment: Moment, deadline: float | None, trial: str = "") -> dict[str, Any]:
    """What `write_scenario` is asked for."""
    limits = "" if deadline is None else f"[session]\ndeadline = {deadline}\nconnect_timeout = {deadline}\n"
    network = f"[network]\nlatency_ms = {moment.latency * 1000}\n"
    return {"rows": 12, "epochs": moment.steps, "batch_size": 64, "extra": limits + network + trial}


def started(folder: Path, seen: str, how: dict[str, Any]) -> Staged:
    """A run that has been started, and of whose parties one is watched."""
    scenario = write_scenario(folder, **how)
    return Staged(
        Running("run", scenario, "--out", folder / "record", "--no-compare"), scenario, folder / "record", seen
    )


def struck(
    folder: Path, moment: Moment, victim: str, kind: str, *, deadline: float | None = None, **more: Any
) -> Staged:
    """A run in which a fault has struck a party at a moment."""
    how = settings(moment, deadline, moment.fault(kind, victim, **more))
    return started(folder, moment.seen(victim), how).until_struck()


def begun(folder: Path, moment: Moment, party: str, *, deadline: float | None = None) -> Staged:
    """A run that has come to a moment, of this party or of one that has it."""
    staged = started(folder, moment.seen(party), settings(moment, deadline))
    staged.run.wait_for(lambda: staged.run.parties().keys() >= {*PARTIES}, "processes of all parties")
    if moment.stage != "start":
        later = [re.escape(one) for one in ORDER[ORDER.index(moment.stage) + 1 :]]
        here = f"{re.escape(moment.stage)}{' ' + moment.step if moment.step else ''}"
        staged.run.hear(f"^{staged.seen}: ({'|'.join((here, *later))})(?![a-z])")
    return staged


@dataclass(frozen=True)
class Staged:
    """A run that is still going on, and who was seen to be where."""

    run: Running
    scenario: Path
    out: Path
    seen: str = field(default="")

    def signal(self, party: str, number: signal.Signals) -> None:
        """To a process; on a busy machine it may have ended since it was seen."""
        with suppress(psutil.NoSuchProcess):
            self.run.party(party).send_signal(number)

    def until_struck(self) -> Staged:
        """Wait for its fault, or for its end without one."""
        self.run.hear(": a fault on purpose")
        return self

    def end(self) -> Ended:
        """Wait for the command's end, and for that of every process which has to do with its scenario."""
        ran = self.run.end()
        _, alive = psutil.wait_procs(processes_of(self.scenario), timeout=PROMPT)
        assert not alive, f"{[process.cmdline() for process in alive]} live on after {ran}"
        return Ended(ran, self.out, record(self.out), self.seen)


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    ran: Ran
    out: Path
    record: dict[str, Any]
    seen: str

    @property
    def error(self) -> dict[str, Any]:
        """The record's error; empty where there is none."""
        found: dict[str, Any] = self.record["error"] or {}
        return found

    def landed(self) -> str:
        """The stage in which the run was met, by the log of the party that was watched."""
        log = self.out / f"{self.seen}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        stages = [stage for line in reversed(lines) for stage in ORDER if line.endswith(f" {stage}")]
        return stages[0] if stages else "start"

    def check_quiet(self) -> None:
        """No traceback anywhere."""
        assert "Traceback" not in self.ran.err, self.ran.err
        for path in self.out.iterdir():
            assert "Traceback" not in path.read_text(), f"{path.name}: {path.read_text()}"

    def check_ok(self) -> None:
        """The run was done all the same."""
        self.check_quiet()
        assert self.ran.code == 0, self.ran
        assert self.record["status"] == "ok" and self.record["model"] is not None

    def check_failed(self, exit_code: int, code: str, party: str | None) -> None:
        """The exit code, the record and the last words say the same."""
        self.check_quiet()
        assert self.ran.code == exit_code, self.ran
        assert self.record["status"] == "failed" and self.record["model"] is None
        assert (self.error["code"], self.error["party"]) == (code, party), (self.error, self.ran.err)
        told = [line for line in self.ran.err.splitlines() if line.startswith("mpc: ")]
        assert len(told) == 1 and self.error["message"] in told[0], self.ran.err
        assert party is None or party in told[0]


def judge(
    ended: Ended,
    failure: tuple[int, str, str | None],
    named: str,
    tell: Tell,
    sweep: str,
    within: float = PROMPT,
) -> bool:
    """Whether a run failed with this code, kind of error and party, counted as `named`; if not, it was done before."""
    assert ended.ran.seconds < within
    done = ended.ran.code == 0 and ended.landed() == "done"
    if done:
        ended.check_ok()
    else:
        ended.check_failed(*failure)
    tell(sweep, tried=1, **{"done_all_the_same" if done else named: 1}, slowest_end_in_seconds=ended.ran.seconds)
    tell(f"{sweep}, met in", **{ended.landed(): 1})
    return not done


def processes_of(scenario: Path) -> list[psutil.Process]:
    """All processes whose command line names a scenario file."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(scenario) in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found
