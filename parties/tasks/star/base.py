"""A kind of task over a server and many clients: the steps that it provides, and each party's inputs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from typing import Any, Final

from mpc.errors import BeaverlodgeError, InternalError, UsageError
from mpc.faults.fault import Fault, Kind
from mpc.links.network import Network
from mpc.runtime.trace import Tracer
from mpc.star.client import Host, StarClient
from mpc.star.sockets import ClientHost
from parties.base.reporter import Reporter
from parties.scenario.star import StarScenario
from parties.show.blocks import Block
from parties.tasks.star.noise import Charging
from parties.trust.budget import Charge, Ledger, without
from parties.trust.releases import Release
from parties.trust.round_journal import RoundJournal
from parties.trust.sealed_state import SealedState
from protocols.aggregation.settings import Journal, Trust

_DIGITS: Final = 16
LINGER: Final = 1.0
"""Seconds in which a transport may still send what it holds when a sum's process ends."""


class ClientMistake(Exception):
    """A client's own program is wrong, and so is every other client's: the process that hosts it ends with this.

    It is no `BeaverlodgeError`: a client that fails with one of those leaves, and the others go on.
    """

    def __init__(self, error: BeaverlodgeError) -> None:
        super().__init__(error)  # all of it, for it may come from another machine
        self.error = error


Noting = Callable[[bytes, str, Any, Journal], tuple[AbstractContextManager[object], Journal]]
"""(session, the round's name, rows, journal) -> what notes a release: it is entered around the client's part in the
round, and the journal that goes with it."""


@dataclass(frozen=True)
class Membership:
    """One client's inputs: its journal, its keys against a lying server, the note of its releases, and its ledger."""

    journal: RoundJournal
    trust: Trust | None = None
    noting: Noting | None = None
    charge: Charging | None = None

    def note(self, session: bytes, name: str, rows: Any) -> tuple[AbstractContextManager[object], Journal]:
        """What notes a release around the client's part in a round of this name, and the journal that goes with it."""
        if self.noting is None:
            return nullcontext(), self.journal
        return self.noting(session, name, rows, self.journal)


def _nobody(*of: object) -> None:
    """Hears of no stage, and of no fault."""


@dataclass(frozen=True)
class Trials:
    """What goes wrong on purpose at the clients of one process.

    Args:
        faults: by client.
        enters: called with each client and each stage that it comes to.
        strikes: called with a fault's kind when it strikes, where it is not in `faults`.
    """

    faults: Mapping[str, Fault] = field(default_factory=dict)
    enters: Callable[[str, str], None] = _nobody
    strikes: Callable[[Kind], None] = _nobody


NO_TRIALS: Final = Trials()


@dataclass(frozen=True)
class Seat:
    """The server's inputs.

    Args:
        network: a listening transport, whose allow-list is the clients and the helper.
        first: the number of its first round.
        use: called with each round's number before any client hears of it.
        out: the run's folder.
        patience: seconds for which a closed connection may come back.
        gone: asked for clients whose processes are known to have ended.
        about: what a client's doctor is told.
        tracer: records its stages.
        state: where a kind that survives its server keeps its state.
        computed: the processor time of the server's own computation, in seconds.
    """

    network: Network
    first: int
    use: Callable[[int], None]
    out: Path
    patience: float
    gone: Callable[[], Iterable[int]]
    about: Mapping[str, Any]
    tracer: Tracer = field(default_factory=Tracer)
    state: SealedState | None = None
    computed: Callable[[], float] = time.thread_time


def _always(scenario: StarScenario) -> bool:
    """`pools` of a kind whose clients all have rows."""
    return True


def _no_charge(scenario: StarScenario) -> Charge | None:
    """`charge` of a kind without [privacy]."""
    return None


def _no_helper(*of: object) -> Any:
    """`helper` and `helper_result` of a kind without one."""
    raise InternalError("this kind of task has no helper", "please report this as a bug")


def _keeps_nothing(scenario: StarScenario, client: StarClient, folder: Path) -> dict[str, Any]:
    """`keep` of a kind whose clients keep nothing."""
    return {}


@dataclass(frozen=True)
class Star:
    """The steps of a kind over a server and many clients. The scenario's class is the kind's own.

    Args:
        plan: the plan, as `mpc plan --json` prints it.
        plan_blocks: the same as lines and tables.
        protection: what it withstands; `knowledge` who learns what; `data_notice` what is asked of a party's data.
        clients: the clients of one process, ready to join; `client_faults` what the
            hosted ones do of a trial.
        helper: the helper, ready to join; `helper_result` what it reports.
        serve: the server's part; returns its result.
        result: what a process of clients reports.
        keep: writes what a client on its own machine keeps beside its record; returns what that says of it.
        record: the record of a run, from the results of all; `client_record` a client's own, or the helper's.
        load: a client's rows, for the round at a place; raises DataError. `count` how many there are.
        clipped: how many cells would be clipped; raises DataError. `columns` how many columns are read.
        release: a client's entry in its list of releases.
        quorum: how many clients are enough.
        survives: whether a server that is started again goes on where the one before ended.
        pools: whether the clients have rows of their own, so that their releases are listed.
        foreign: whether its plan and its programs run code that a person named; none of it runs to show what is asked.
        compare: the record's `comparison`, for runs on one machine; None where there is none.
        charge: what a run with [privacy] costs a client's budget at the most, all its releases together.
    """

    plan: Callable[[Any], dict[str, Any]]
    plan_blocks: Callable[[Any], list[Block]]
    protection: Callable[[Any], list[Block]]
    knowledge: Callable[[Any], list[Block]]
    data_notice: Callable[[Any, str], list[Block]]
    clients: Callable[[Any, Mapping[str, Membership], Logger, Trials], dict[str, StarClient]]
    client_faults: Callable[[Any], dict[str, Fault]]
    serve: Callable[[Any, Seat, Reporter, Logger, Callable[[], object]], dict[str, Any]]
    result: Callable[[Host], dict[str, Any]]
    record: Callable[[Any, Mapping[str, Mapping[str, Any]]], dict[str, Any]]
    client_record: Callable[[Any, str, Mapping[str, Any]], dict[str, Any]]
    load: Callable[[Any, str, int], Any]
    clipped: Callable[[Any, str, Any], int]
    columns: Callable[[Any], int]
    entries: Callable[[Any], int]
    release: Callable[[Any, str, Any, str], Release]
    quorum: Callable[[Any], int]
    helper: Callable[[Any], StarClient] = _no_helper
    helper_result: Callable[[Any, ClientHost, Logger], dict[str, Any]] = _no_helper
    keep: Callable[[Any, StarClient, Path], dict[str, Any]] = _keeps_nothing
    survives: bool = False
    pools: Callable[[Any], bool] = _always
    foreign: bool = False
    compare: Callable[[Any, Mapping[str, Any]], dict[str, Any]] | None = None
    charge: Callable[[Any], Charge | None] = _no_charge


def release_name(session: bytes, name: str) -> str:
    """A round of a session, in a client's list of releases and in its ledger."""
    return f"{session.hex()}/{name}"


def charge_left(scenario: StarScenario, star: Star, me: str, ledger: Ledger) -> Charge | None:
    """What a run may still cost a client, of what its plan releases; None without [privacy].

    A study that goes on after an interruption was charged for its earlier rounds. A sum that is run again is another.
    """
    planned = star.charge(scenario)
    if planned is None or not star.survives:
        return planned
    return without(planned, [one for one in ledger.read().charges if (one.digest, one.party) == (scenario.digest, me)])


def server_state(scenario: StarScenario, folder: Path, secret: bytes) -> SealedState:
    """Where the server keeps its state of a study: a file in this folder, sealed under its secret."""
    path = folder / f"{scenario.server}-{scenario.digest[:_DIGITS]}.state"
    hint = (
        f"put back {path.name} and {path.name}.list as they were; without them begin a study of another name and seed: "
        "a client that released its part of a round for some clients does so for no others"
    )
    return SealedState(path, "state of a server", scenario.server, scenario.digest, secret, hint)


def silence(scenario: StarScenario, patience: float) -> float:
    """Seconds that a client, or the helper, waits for a message that takes it to the next stage.

    With a helper they wait through each other's stages too: it for keys to unmask, they for its last two. A stage lasts
    until its deadline, which the server's patience may put off.
    """
    return scenario.session.connect_timeout + scenario.stages_waited * (scenario.session.deadline + patience)


def server_address(scenario: StarScenario) -> str:
    """The endpoint at which the server listens.

    Raises:
        UsageError: the scenario does not say it.
    """
    address = scenario.parties[scenario.server].address
    if address is None:
        raise UsageError(
            f"[parties.{scenario.server}] has no address, so no client can reach it",
            'give it one, such as address = "10.0.0.5:7101"; clients need none',
        )
    return address


def check_identities(scenario: StarScenario, texts: Mapping[str, str]) -> None:
    """Refuse keys that a lying server could have chosen.

    Raises:
        UsageError: the keys come from no roster, or from one that the server signed.
    """
    if scenario.task.server != "malicious":
        return
    if scenario.roster is None:
        raise UsageError(
            'server = "malicious" needs a [roster]: a server that may lie must have no hand in who the clients are',
            "let somebody whom the clients trust sign one: docs/keys.md",
        )
    if scenario.roster.signed_by == texts[scenario.server]:
        raise UsageError(
            f"the roster is signed by {scenario.server}, which may lie", "let somebody else sign it: docs/keys.md"
        )
