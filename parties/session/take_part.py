"""One party's part in a run, from its data to its result: the same whether the launcher or a person started it."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from logging import Logger
from typing import TYPE_CHECKING, Any, TypeVar

from mpc.errors import BeaverlodgeError, BudgetError, DataError, InternalError, InterruptedRun, RecordError, UsageError
from mpc.links.channel import Channel, Limits
from mpc.links.meeting.handshake import Agreement, meet
from mpc.links.meeting.offer import Offer, Table
from mpc.links.meeting.play import leave, play_helper, play_owner
from mpc.links.network import Network
from mpc.links.zmq.curve import Identity
from mpc.links.zmq.transport import Transport
from mpc.randomness.streams import Entropy
from mpc.runtime.plan import Plan
from mpc.runtime.trace import Trace, Tracer
from parties.base.cores import keep_to_a_core
from parties.base.descriptors import allow_connections
from parties.base.memory import keep_freed_memory
from parties.base.reporter import Reporter
from parties.base.version import VERSION
from parties.data.own_table import OwnTable
from parties.scenario.file import Scenario
from parties.session.claims import check_claims
from parties.session.result import blamed, result_of
from parties.session.secrets import entropy_of
from parties.session.traced import plan_facts
from parties.tasks.registry import Plans, job_of
from parties.tasks.rows.extent import Rows
from parties.tasks.rows.few import refuse_few
from parties.trust.budget import Ledger
from parties.trust.releases import Releases
from parties.trust.share_file import Vault

if TYPE_CHECKING:
    from parties.trust.consent import Approvable

T = TypeVar("T")

LAUNCHED_PATIENCE = 3.0
PATIENCE = 30.0
_LINGER = 1.0
_SOON = 0.05  # seconds of work after which its stage is reported and peers are answered
_DESCRIPTORS_A_PEER = 8  # its connection's, its monitor's, and those of one that replaces it


@dataclass(frozen=True)
class Place:
    """A party's address, identity and peers.

    Args:
        identity: its keys.
        peers: the others' public keys.
        listen: where it listens, or None to dial only.
        find: returns, once this party listens at an endpoint, the endpoints of the peers to dial.
        local: whether the launcher has started all parties, on this machine: a closed connection means a dead process.
        through: puts something between the channel and its sockets, as the faults of a trial are.
    """

    identity: Identity
    peers: Mapping[str, bytes]
    listen: str | None
    find: Callable[[str | None], Mapping[str, str]]
    local: bool
    through: Callable[[Network], Network] = lambda network: network


@dataclass(frozen=True)
class Prepared:
    """The preparations of a party before its part begins.

    Args:
        table: an owner's table, if it was read already.
        releases: an owner's list of releases.
        vault: what seals an owner's shares.
        plans: the plans that were made already.
        problem: why the table could not be read, or its budget is spent; its peers are told.
        ledger: an owner's ledger of epsilon.
        tracer: records its rounds; None where they are not.
    """

    table: OwnTable | None = None
    releases: Releases | None = None
    vault: Vault | None = None
    plans: Plans = field(default_factory=Plans)
    problem: DataError | BudgetError | None = None
    ledger: Ledger | None = None
    tracer: Tracer | None = None


def take_part(
    scenario: Scenario, me: str, place: Place, reporter: Reporter, log: Logger, own: Prepared | None = None
) -> dict[str, Any]:
    """Take part in the scenario's run as `me`; returns the party's result as `record.merge_results` takes it.

    Raises:
        BeaverlodgeError: the first failure, here or at a peer; the peers were told its code and stage.
    """
    started = time.perf_counter()
    own = own or Prepared()
    keep_freed_memory()
    if place.local and me in scenario.owners:
        keep_to_a_core(scenario.owners.index(me), len(scenario.owners))
    allow_connections(len(place.peers), _DESCRIPTORS_A_PEER)
    tracer = own.tracer or Tracer()
    say = partial(reporter.warn, log)
    trace = Trace(_stages(reporter, log), say, tracer=tracer)
    transport = Transport(place.identity, place.peers, place.listen)
    channel: Channel | None = None
    try:
        dial = place.find(transport.endpoint)
        channel = _channel(scenario, me, place, place.through(transport), trace, say)
        for peer, endpoint in dial.items():
            transport.dial(peer, endpoint)
        return _play(scenario, me, channel, trace, reporter, log, started, own)
    except BaseException as problem:
        error = _as_error(problem, me, log)
        tracer.failed(error)
        log.error("stage '%s': %s", trace.at, error)
        if channel is not None:
            channel.abort(error, trace.at)
        raise error from None
    finally:
        tracer.close()
        transport.close(_LINGER)


def _channel(
    scenario: Scenario, me: str, place: Place, network: Network, trace: Trace, say: Callable[[str], None]
) -> Channel:
    session = scenario.session
    patience = session.patience or (LAUNCHED_PATIENCE if place.local else PATIENCE)
    limits = Limits(session.connect_timeout, session.deadline, patience)
    return Channel(me, [name for name in scenario.parties if name != me], network, limits, trace, say)


def _play(
    scenario: Scenario,
    me: str,
    channel: Channel,
    trace: Trace,
    reporter: Reporter,
    log: Logger,
    started: float,
    own: Prepared,
) -> dict[str, Any]:
    owner = scenario.parties[me].role == "owner"
    job = job_of(scenario)
    trace.stage("data", 0, 0)
    if own.problem is not None:
        raise own.problem
    table = (own.table or _run_in_thread(channel, "data", lambda: job.data.load(scenario, me))) if owner else None
    vault = own.vault
    if table is not None and job.data.ready is not None and vault is not None:
        table = job.data.ready(scenario, table, vault)
    _tell_notes(table, reporter, log)
    trace.stage("connecting", 0, 0)
    players = Table(scenario.owners, scenario.helper)
    agreement = _agree(scenario, table, channel, players, entropy_of(scenario, me, reporter, log), own.plans)
    if table is not None and len(agreement.columns) < len(table.columns):
        unshared = [name for name in table.columns if name not in set(agreement.columns)]
        log.info("columns that not all owners have, and that are not used: %s", ", ".join(unshared))
    result: Any = None
    say = partial(reporter.warn, log)
    noting = _note_release(own, scenario, table, agreement, trace, say)
    program = job.run.program(scenario, agreement, table) if table is not None else None
    told = table is not None and table.excluded is not None and scenario.privacy is None
    excluded = {"rows_excluded": table.excluded} if table is not None and told else {}
    del table  # it may be large; the program has its own copy of the rows
    if own.tracer is not None:
        own.tracer.planned(plan_facts(agreement.plan, scenario.network))
    with _freeze_imports(), noting:
        trace.restart_counts()
        trace.stage("running", 0, 0)
        if program is not None:
            for warning in job.run.before(scenario, agreement):
                say(warning)
            with blamed(foreign=job.run.foreign):
                result = play_owner(channel, players, agreement, trace, program)
            for warning in job.run.after(result):
                say(warning)
        else:
            play_helper(channel, players, agreement, trace)
        measured = _measurements(trace)
        trace.stage("done", 0, 0)
        finished = time.perf_counter()
    kept = _keep_result(scenario, me, agreement, result, vault) if owner and vault is not None else {}
    leave(channel, players, patient=not owner)
    agreement = replace(agreement, plan=agreement.plan.on(trace.ways))
    if own.tracer is not None:
        own.tracer.planned(plan_facts(agreement.plan, scenario.network))
    log.info("done: %d rounds, %d bytes sent", measured["rounds"], measured["bytes_sent"])
    entry = {**measured, **excluded, **kept, "seconds": _seconds(trace, finished - started)}
    return result_of(scenario, me, agreement, entry, result, trace.ways, trace.reveals)


def _keep_result(scenario: Scenario, me: str, agreement: Agreement, result: Any, vault: Vault) -> dict[str, Any]:
    """Write what the run leaves beside its record; returns where that is.

    Raises:
        RecordError: it cannot be written, though everything was opened.
    """
    keep = job_of(scenario).run.keep
    try:
        return keep(scenario, agreement, result, vault) if keep is not None else {}
    except UsageError as error:
        hint = "; ".join(text for text in (error.hint, "what was revealed by then stays known") if text)
        raise RecordError(f"the run is done, but not kept: {error.message}", hint, party=me) from None


def _agree(
    scenario: Scenario, table: OwnTable | None, channel: Channel, players: Table, entropy: Entropy, plans: Plans
) -> Agreement:
    """Agree with all parties; returns the agreement with the settings of the plan."""
    settings: list[Any] = []

    def make(rows: Rows, columns: int) -> Plan:
        check_claims(scenario, channel.me, rows, columns)
        refuse_few(scenario, rows, columns)
        made, plan = _run_in_thread(channel, "planning", lambda: _compute_digest(*plans.of(scenario, rows, columns)))
        settings.append(made)
        return plan

    agreement = meet(channel, players, _offer(scenario, table), make, entropy, scenario.session.connect_timeout)
    return replace(agreement, settings=settings[-1])


def _compute_digest(settings: Any, plan: Plan) -> tuple[Any, Plan]:
    """Compute the plan's digest now, in the thread that made it; returns both."""
    assert plan.digest
    return settings, plan


def _run_in_thread(channel: Channel, stage: str, work: Callable[[], T]) -> T:
    """Do long work in a thread, while this one answers peers: their handshakes would time out otherwise.

    Args:
        stage: its name, which is reported once it has taken a while.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as problem:
            future.set_exception(problem)

    threading.Thread(target=run, daemon=True).start()  # nobody waits for it if a peer gives up
    if not wait([future], _SOON).done:
        channel.trace.stage(stage, 0, 0)
        channel.attend(future.done)
    return future.result()


@contextmanager
def _freeze_imports() -> Iterator[None]:
    """Keep the garbage collector from the imported modules: to scan them takes 15 ms, as long as many rounds."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _note_release(
    own: Prepared,
    scenario: Scenario,
    table: OwnTable | None,
    agreement: Agreement,
    trace: Trace,
    say: Callable[[str], None],
) -> AbstractContextManager[object]:
    """A context manager around all openings that keeps this owner's list of releases, if it has one.

    With [privacy] its ledger is charged before the first opening, and before the list has the run.
    """
    releases, ledger = own.releases, own.ledger
    if releases is None or table is None:
        return nullcontext()
    run = releases.entry(scenario, table, agreement.columns, agreement.session.hex(), agreement.plan.reveals)
    noting = releases.noting(run, trace.reveals, say)
    charge = job_of(scenario).notice.charge(scenario)

    def opening() -> None:
        nonlocal charge
        if charge is not None and ledger is not None:
            ledger.charge(run, charge, releases.past)
            charge = None  # each opening asks, and a ledger takes time to read
        noting.opening()

    trace.opening = opening
    return noting


def _tell_notes(table: OwnTable | None, reporter: Reporter, log: Logger) -> None:
    for note in table.notes if table is not None else ():
        if note.level == "warning":
            reporter.warn(log, note.text)
        else:
            log.info("%s", note.text)


def _offer(scenario: Scenario, table: OwnTable | None) -> Offer:
    facts = public_facts(scenario)
    if table is None:
        return Offer(VERSION, facts, None, None)
    job = job_of(scenario)
    common = None if job.data.common is None else job.data.common(table)
    rows, has_target = job.data.counts(scenario, table.rows), job.data.has_target(scenario, table)
    return Offer(VERSION, facts, rows, table.columns, has_target, common)


def public_facts(scenario: Approvable) -> dict[str, Any]:
    """The settings of a scenario that the parties compare, by dotted key."""
    return _flat(scenario.agreement())


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _measurements(trace: Trace) -> dict[str, int]:
    return {
        "rounds": trace.rounds,
        "bytes_sent": trace.bytes_sent,
        "bytes_received": trace.bytes_received,
        "messages": trace.messages,
    }


def _training_seconds(trace: Trace) -> float:
    """From the first step to what comes next: a range check, or with [privacy] noisy metrics or the noisy model."""
    ends = (trace.seconds("training", after) for after in ("range check", "metrics", "model"))
    return next((found for found in ends if found), 0.0)


def _seconds(trace: Trace, total: float) -> dict[str, float]:
    return {
        "connect": trace.seconds("connecting", "handshake"),
        "setup": trace.seconds("handshake", "running"),
        "online": trace.seconds("running", "done"),
        "training": _training_seconds(trace),
        "total": total,
    }


def _stages(reporter: Reporter, log: Logger) -> Callable[[str, int, int], None]:
    """Report every step to the reporter, and every stage to the log."""
    last = ""

    def stage(name: str, done: int, total: int) -> None:
        nonlocal last
        if name != last:
            last = name
            log.info("%s", name)
        reporter.stage(name, done, total)

    return stage


def _as_error(problem: BaseException, me: str, log: Logger) -> BeaverlodgeError:
    """The error to end with. For a bug, the log names the place, not the message, which could hold data."""
    if isinstance(problem, BeaverlodgeError):
        return problem
    if isinstance(problem, KeyboardInterrupt):
        return InterruptedRun(f"{me} was interrupted", "start it again from the beginning", party=me)
    log.error("a bug: %s", type(problem).__name__)
    for line in "".join(traceback.format_tb(problem.__traceback__)).splitlines():
        log.error("%s", line)
    return InternalError(
        f"{me} met a bug ({type(problem).__name__})", "please report it with the log, which holds no data", party=me
    )
