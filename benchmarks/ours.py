"""Our own runs: whole trainings by the launcher, microbenchmarks, the floor, and the command from start to end."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import plain_member
from benchmarks.floor_member import frames_of, plaintext_seconds, public_expansion_seconds
from benchmarks.jobs import ROOT, Arrays, log_loss
from benchmarks.micro_programs import Micro as Operation
from benchmarks.micro_programs import each_time
from benchmarks.micro_programs import plan_of as plan_of_micro
from benchmarks.own_run import OwnRun, own_run
from benchmarks.peer_runs import LATENCY
from benchmarks.results import BesidePlan, Floor, Micro, Training, median_and_spread
from mpc.correlation import correction_bytes
from mpc.curve import new_identity
from mpc.errors import BeaverlodgeError, InterruptedRun
from mpc.plan import Plan
from mpc.wire import HEADER_BYTES
from parties.children import Program
from parties.data import load_owner_table
from parties.delay_line import Conditions
from parties.kinds import plan_for
from parties.launcher import MEMBER, launch
from parties.rows import row_counts
from parties.run_locally import orders
from parties.scenario import Scenario, load_scenario

WAN = Conditions(LATENCY, None)
PARTIES = ("hospital_a", "hospital_b", "helper")
_SLOWEST_COMMAND = 120.0
_EXACT = 1e-5
"""How far what a comparison or a selection gives may be off: the inputs' own rounding."""


@dataclass
class Watched:
    """What the launcher tells of a run: when training began, how many steps there were, and the most memory held."""

    started: float = field(default_factory=time.monotonic)
    training_at: float | None = None
    steps: int = 0
    peak_bytes: int = 0
    _pids: dict[str, int] = field(default_factory=dict)
    _stages: dict[str, str] = field(default_factory=dict)

    @property
    def setup_seconds(self) -> float:
        """From the launch to the first step."""
        return (self.training_at or 0.0) - self.started

    def __call__(self, name: str, event: Mapping[str, Any]) -> None:
        """Take an event."""
        if event["event"] == "started":
            self._pids[name] = int(event["pid"])
        if event["event"] != "stage":
            return
        if event["stage"] == "training":
            self.training_at = self.training_at or time.monotonic()
            self.steps = max(self.steps, int(event["total"] or 0))
        if self._stages.get(name) != event["stage"] and name in self._pids:  # not at every step
            self._stages[name] = str(event["stage"])
            self.peak_bytes = max(self.peak_bytes, peak_bytes(self._pids[name]))


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held so far; 0 if it is over."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


@dataclass(frozen=True)
class StepCost:
    """What the plan says of one training step, exactly."""

    rounds: float
    owner_bytes: float
    helper_bytes: float


def train(
    who: str, job: str, path: Path, arrays: Arrays, folder: Path, *, runs: int, encrypted: bool, wan: bool
) -> Training:
    """Run a scenario several times; never raises for what a run says is wrong."""
    network = "WAN" if wan else "localhost"
    try:
        scenario = load_scenario(path)
        plan = plan_of(scenario)
        done = [_train_once(path, folder, encrypted=encrypted, wan=wan) for _ in range(runs)]
    except InterruptedRun:
        raise
    except BeaverlodgeError as error:
        return Training(who, job, network, encrypted, failure=str(error))
    steps = done[-1].steps
    owners = [[one.results[name]["party"]["seconds"] for name in one.results if name != "helper"] for one in done]
    each_run = tuple(min(s["training"] for s in each) / max(1, steps) for each in owners)
    step, spread = median_and_spread(each_run)
    each_setup = tuple(one.setup_seconds for one in done)
    each_online = tuple(max(s["online"] for s in each) for each in owners)
    last = done[-1].results[PARTIES[0]]
    model, how = last["model"], last["training"]
    weights = np.array([*model["standardised_weights"], model["standardised_intercept"]])
    cost = step_cost(plan, steps)
    return Training(
        who=who,
        job=job,
        network=network,
        encrypted=encrypted,
        runs=runs,
        steps=steps,
        step_seconds=step,
        spread=spread,
        setup_seconds=statistics.median(each_setup),
        online_seconds=statistics.median(each_online),
        rounds=cost.rounds,
        rounds_how="plan",
        step_bytes=cost.owner_bytes,
        helper_bytes=cost.helper_bytes,
        accuracy=arrays.accuracy(weights),
        difference=float(np.abs(weights - arrays.weights).max()),
        log_loss=log_loss(arrays.x, arrays.y, weights),
        all_rounds=len(plan.rounds),
        peak_bytes=max(one.peak_bytes for one in done) or None,
        note=f"took {how['solver']}, {steps} steps" if how["choice"] else "",
        each=each_run,
        each_setup=each_setup,
        each_online=each_online,
    )


def plan_of(scenario: Scenario) -> Plan:
    """What the scenario's run will cost."""
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    counts = {owner: row_counts(scenario, table.rows) for owner, table in tables.items()}
    return plan_for(scenario, counts, len(tables[scenario.owners[0]].columns))


def step_cost(plan: Plan, steps: int) -> StepCost:
    """A step's rounds, an owner's bytes and the helper's, from the rounds of the plan's stage "training"."""
    places = [place for place, one in enumerate(plan.rounds) if one.stage == "training"]
    if not places or not steps:
        return StepCost(0.0, 0.0, 0.0)
    drawn = list(accumulate((one.draws for one in plan.rounds), initial=0))
    dealt = sum(correction_bytes(kind) for kind in plan.kinds[drawn[places[0]] : drawn[places[-1] + 1]])
    rounds = [plan.rounds[place] for place in places]
    sent = sum(HEADER_BYTES + one.payload for one in rounds)
    return StepCost(len(rounds) / steps, sent / steps, dealt / steps)


def command_seconds(path: Path, folder: Path, runs: int) -> float:
    """From the command to the result: `mpc run`, the start of all processes included."""
    times = []
    for _ in range(runs):
        shutil.rmtree(folder, ignore_errors=True)
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "parties.cli", "run", str(path), "--out", str(folder)],
            cwd=ROOT,
            check=True,
            capture_output=True,
            timeout=_SLOWEST_COMMAND,
        )
        times.append(time.monotonic() - began)
    return statistics.median(times)


@dataclass(frozen=True)
class Session:
    """What a session of one operation measured.

    Args:
        times: of each run, from the moment when the first owner begins until the last one is done.
        dealing: seconds that the helper computed and handed over for one of them.
        rounds, owner_bytes, helper_bytes: of one of them, as counted by the channel.
        planned: the same by the plan.
        error: the largest.
    """

    times: tuple[float, ...]
    dealing: float
    rounds: float
    owner_bytes: float
    helper_bytes: float
    planned: tuple[float, float, float]
    error: float


def session(operation: Operation, folder: Path, *, encrypted: bool, wan: bool = False) -> Session:
    """One session of an operation, between processes."""
    order = {"micro": operation.key}
    results = _launch_own("benchmarks.micro_member", folder, PARTIES, encrypted, order, WAN if wan else None)
    owners, helper = PARTIES[:2], PARTIES[2]
    each = [results[name]["times"] for name in owners]
    plan, repeats = plan_of_micro(operation, owners, helper, results[owners[0]]["repeats"])
    sent = max(results[name]["counted"]["bytes"] for name in owners)
    rounds, owner_bytes = each_time(plan, repeats, results[owners[0]]["counted"]["rounds"], sent)
    planned = each_time(plan, repeats, len(plan.rounds), max(plan.bytes_sent[name] for name in owners))
    return Session(
        times=tuple(max(a[1], b[1]) - min(a[0], b[0]) for a, b in zip(*each, strict=True)),
        dealing=results[helper]["dealing"],
        rounds=rounds,
        owner_bytes=owner_bytes,
        helper_bytes=results[helper]["counted"]["bytes"] / (repeats + 1),
        planned=(*planned, plan.bytes_sent[helper] / (repeats + 1)),
        error=float(np.abs(np.load(folder / "values.npy") - operation.expected()).max()),
    )


def micro(operation: Operation, folder: Path, *, encrypted: bool, runs: int) -> Micro:
    """Time one operation in several sessions."""
    done = [session(operation, folder, encrypted=encrypted) for _ in range(runs)]
    times = [time for one in done for time in one.times]
    seconds, spread = median_and_spread(times)
    return Micro(
        "beaverlodge",
        operation.key,
        encrypted,
        len(times),
        seconds,
        spread,
        statistics.median(one.dealing for one in done),
        round(done[-1].rounds),
        done[-1].error,
        operation.note,
    )


def beside_plan(operation: Operation, folder: Path, *, runs: int, wan: bool) -> BesidePlan:
    """One operation, with encryption, beside its plan.

    Raises:
        BeaverlodgeError, RuntimeError: it did not run, or gave what is wrong.
    """
    done = [session(operation, folder, encrypted=True, wan=wan) for _ in range(runs)]
    if max(one.error for one in done) > _EXACT:
        raise RuntimeError(f"it is wrong by {max(one.error for one in done):g}")
    times, last = [time for one in done for time in one.times], done[-1]
    seconds, spread = median_and_spread(times)
    rounds, owner_bytes, helper_bytes = last.planned
    return BesidePlan(
        key=operation.key,
        network="WAN" if wan else "localhost",
        runs=len(times),
        seconds=seconds,
        spread=spread,
        planned_seconds=LATENCY * rounds if wan else None,
        rounds=last.rounds,
        planned_rounds=rounds,
        owner_bytes=last.owner_bytes,
        planned_owner_bytes=owner_bytes,
        helper_bytes=last.helper_bytes,
        planned_helper_bytes=helper_bytes,
    )


def floor(path: Path, arrays: Arrays, step: Training, folder: Path, *, encrypted: bool) -> Floor:
    """What a step of the job cannot be faster than, measured now.

    The exchanges by as many pairs of processes as the step was measured in runs: two processes keep for good the pace
    at which they began, each asleep when the other's frame comes, or never, and that is twice the time or half of it.
    """
    scenario = load_scenario(path)
    plan = plan_of(scenario)
    frames = frames_of(plan, step.steps)
    order = {"frames": list(frames)}
    pairs = [_launch_own("benchmarks.floor_member", folder, PARTIES[:2], encrypted, order) for _ in range(step.runs)]
    return Floor(
        encrypted=encrypted,
        step=step.step_seconds or 0.0,
        frames_transport=statistics.median(max(one["transport"] for one in pair.values()) for pair in pairs),
        frames_zeromq=statistics.median(max(one["zeromq"] for one in pair.values()) for pair in pairs),
        plaintext=plaintext_seconds(arrays),
        expansion=public_expansion_seconds(len(arrays.steps[0]), arrays.twin.largest_score),
        frames=frames,
    )


def _train_once(path: Path, folder: Path, *, encrypted: bool, wan: bool) -> OwnRun:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return own_run(path, folder, encrypted=encrypted, wan=wan)


def launch_training(
    scenario: Scenario, folder: Path, *, encrypted: bool, wan: bool
) -> tuple[dict[str, dict[str, Any]], Watched]:
    """Run a scenario's parties, from this process; what each reported, and what was seen meanwhile."""
    watched = Watched()
    results = launch(
        scenario.path,
        scenario.parties,
        partial(orders, scenario),
        out=folder,
        on_event=watched,
        program=MEMBER if encrypted else Program("benchmarks.plain_member", plain_member.main),
        network=WAN if wan else None,
    )
    return results, watched


def _launch_own(
    module: str,
    folder: Path,
    parties: Sequence[str],
    encrypted: bool,
    order: Mapping[str, Any],
    network: Conditions | None = None,
) -> dict[str, dict[str, Any]]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    keys = {name: new_identity() for name in parties}
    each = {
        me: {
            **order,
            "plain": not encrypted,
            "keys": {
                "public": mine.public.decode(),
                "secret": mine.secret.decode(),
                "peers": {name: other.public.decode() for name, other in keys.items() if name != me},
            },
        }
        for me, mine in keys.items()
    }
    return launch(
        folder / "none.toml",
        each,
        lambda: each,
        out=folder,
        on_event=lambda name, event: None,
        program=Program(module),
        network=network,
    )
