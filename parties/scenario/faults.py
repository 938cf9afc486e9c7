"""The [faults] of a scenario: what goes wrong in `mpc run` on purpose, and when. `mpc party` refuses such a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from mpc.faults.fault import Fault, Kind
from parties.scenario.models import (
    A_COUNT,
    A_SEED,
    LARGEST_COUNT,
    LARGEST_SEED,
    MOST_SECONDS,
    SECONDS,
    Count,
    Table,
    Text,
)
from parties.scenario.network import FROM_START, Seconds, check_link
from parties.scenario.problems import Problem, Reading, nearest, quote, read_table, show_value

_A_CHANCE: Final = "a number above 0, up to 1"
_A_PARTY: Final = "a party's name"
_A_STEP: Final = f"a whole number from 0 to {LARGEST_COUNT}"
_A_SHARE: Final = "a number from 0 to 1"

Chance = Annotated[float, Field(gt=0.0, le=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
FromStart = Annotated[float, Field(ge=0.0, le=MOST_SECONDS)]


class MessageFault(Table):
    """A fault of one message, or of each with a probability."""

    party: Text | None = Field(default=None, description=_A_PARTY)
    to: Text | None = Field(default=None, description=_A_PARTY)
    link: Text | None = Field(default=None, description='the names of two parties, such as "hospital_a-helper"')
    label: Text | None = Field(default=None, description="the label of a round")
    number: Count = Field(default=1, description=A_COUNT)
    probability: Chance | None = Field(default=None, description=_A_CHANCE)
    seconds: Seconds = Field(default=0.5, description=SECONDS)


class DropSpec(MessageFault):
    """A connection that is lost with a message, or at a time."""

    at: FromStart | None = Field(default=None, description=FROM_START)


class KillSpec(Table):
    """The end of a party's process: at a message of its, in a stage, or at a time."""

    party: Text = Field(description=_A_PARTY)
    label: Text | None = Field(default=None, description="the label of a round")
    number: Count = Field(default=1, description=A_COUNT)
    probability: Chance | None = Field(default=None, description=_A_CHANCE)
    stage: Text | None = Field(default=None, description="the name of a stage")
    step: Annotated[int, Field(ge=0, le=LARGEST_COUNT)] = Field(default=0, description=_A_STEP)
    of: Text | None = Field(default=None, description=_A_PARTY)
    at: FromStart | None = Field(default=None, description=FROM_START)


class StopSpec(KillSpec):
    """A party's process that stands still for a while."""

    seconds: Seconds = Field(default=0.5, description=SECONDS)


class ClientFaults(Table):
    """What the hosted clients of a sum do, each at most one of both: as many as is said, always the same ones."""

    vanish: Share = Field(default=0.0, description=_A_SHARE)
    straggle: Share = Field(default=0.0, description=_A_SHARE)
    stage: Text | None = Field(default=None, description="the name of a stage")
    seconds: Seconds = Field(default=5.0, description=SECONDS)


_MODELS: Final[Mapping[str, type[Table]]] = {
    "delay": MessageFault,
    "drop": DropSpec,
    "stop": StopSpec,
    "kill": KillSpec,
    "restart": KillSpec,
}
_LISTED: Final = "a list of tables"


class FaultsSpec(Table):
    """The whole table."""

    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description=A_SEED)
    delay: Annotated[tuple[MessageFault, ...], Field(strict=False)] = Field(default=(), description=_LISTED)
    drop: Annotated[tuple[DropSpec, ...], Field(strict=False)] = Field(default=(), description=_LISTED)
    stop: Annotated[tuple[StopSpec, ...], Field(strict=False)] = Field(default=(), description=_LISTED)
    kill: Annotated[tuple[KillSpec, ...], Field(strict=False)] = Field(default=(), description=_LISTED)
    restart: Annotated[tuple[KillSpec, ...], Field(strict=False)] = Field(default=(), description=_LISTED)
    clients: ClientFaults | None = Field(default=None, description="a table")

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All but the clients'; one of a link is one of each direction."""
        found = [fault for spec in self.delay for fault in _of_messages("delay", spec)]
        found += [fault for spec in self.drop for fault in _of_messages("drop", spec)]
        found += [_of_process("stop", spec, spec.seconds) for spec in self.stop]
        found += [_of_process("kill", spec) for spec in self.kill]
        found += [_of_process("restart", spec) for spec in self.restart]
        return tuple(found)


def _of_messages(kind: Kind, spec: MessageFault) -> Iterator[Fault]:
    at = spec.at if isinstance(spec, DropSpec) else None
    ends = [(spec.party, spec.to)]
    if spec.link is not None:
        one, _, other = spec.link.partition("-")
        ends = [(one, other)] if at is not None else [(one, other), (other, one)]
    for party, peer in ends:
        yield Fault(
            kind,
            party=party,
            peer=peer,
            label=spec.label,
            number=spec.number,
            probability=spec.probability,
            at=at,
            seconds=spec.seconds,
        )


def _of_process(kind: Kind, spec: KillSpec, seconds: float = 0.0) -> Fault:
    return Fault(
        kind,
        party=spec.party,
        label=spec.label,
        number=spec.number,
        probability=spec.probability,
        stage=spec.stage,
        step=spec.step,
        of=spec.of,
        at=spec.at,
        seconds=seconds,
    )


def read_faults(raw: object, elsewhere: Mapping[str, Iterable[str]]) -> Reading[FaultsSpec | None]:
    """The table [faults]; None if something is wrong with it."""
    if not isinstance(raw, Mapping):
        return (yield from read_table(FaultsSpec, raw, "[faults]", elsewhere))
    said: dict[str, Any] = dict(raw)
    for kind, model in _MODELS.items():
        listed = raw.get(kind)
        if isinstance(listed, Sequence) and not isinstance(listed, str):
            said[kind] = []
            for one in listed:
                read = yield from read_table(model, one, f"[[faults.{kind}]]", {})
                said[kind] += [] if read is None else [read]
    if "clients" in raw:
        said["clients"] = yield from read_table(ClientFaults, raw["clients"], "[faults.clients]", {})
    return (yield from read_table(FaultsSpec, said, "[faults]", elsewhere))


def check_faults(spec: FaultsSpec, names: Iterable[str]) -> Iterator[Problem]:
    """Each fault is of parties that there are, and says once when it strikes."""
    known = list(names)
    for one in (*spec.delay, *spec.drop):
        table = f"[[faults.{'drop' if isinstance(one, DropSpec) else 'delay'}]]"
        if one.link is not None:
            yield from check_link(f'{table} link = "{one.link}"', one.link, known)
            if one.party is not None or one.to is not None:
                yield Problem(f"{table} has link, and party or to", "keep the link, or who sends to whom")
        elif one.party is None and one.probability is None:
            yield Problem(f"{table} does not say whose message it is", "add party = and perhaps to =, or link =")
        for name in (one.party, one.to):
            yield from _check_party(table, name, known)
        if one.to is not None and one.to == one.party:
            yield Problem(f"{table} is of a message of {one.to} to itself", "name another party")
        yield from _check_when(table, one)
        if isinstance(one, DropSpec) and one.at is not None and one.link is None:
            yield Problem(f"{table} at = {one.at:g} does not say which connection is lost", "add link =")
    for kind, specs in (("stop", spec.stop), ("kill", spec.kill), ("restart", spec.restart)):
        for process in specs:
            yield from _check_party(f"[[faults.{kind}]]", process.party, known)
            yield from _check_party(f"[[faults.{kind}]] of", process.of, known)
            yield from _check_when(f"[[faults.{kind}]]", process)


def check_owners_faults(spec: FaultsSpec) -> Iterator[Problem]:
    """Refuse faults that a run of owners and a helper cannot have."""
    if spec.restart:
        yield Problem(
            "[[faults.restart]] is for clients of a secure sum: an owner or a helper cannot come back into a run",
            "use [[faults.kill]]",
        )
    if spec.clients is not None:
        yield Problem("[faults.clients] is for the clients of a secure sum", "remove it")


def check_star_faults(spec: FaultsSpec, staying: Sequence[str | None], hosted: bool) -> Iterator[Problem]:
    """Refuse faults that a server and its clients cannot have.

    Args:
        staying: who cannot come back: the helper, if there is one, and the server of a sum.
        hosted: whether there are clients that share processes.
    """
    if spec.delay:
        yield Problem("[[faults.delay]] is for owners and a helper", "for clients that are late, use [faults.clients]")
    for drop in spec.drop:
        if drop.at is None:
            yield Problem("[[faults.drop]] of a sum needs a time", "add at = and link =")
    for kind, specs in (("stop", spec.stop), ("kill", spec.kill), ("restart", spec.restart)):
        for one in specs:
            if one.stage is None and one.at is None:
                yield Problem(f"[[faults.{kind}]] of a sum needs a stage or a time", "add stage = or at =")
    for one in spec.restart:
        if one.party in staying:
            yield Problem(f"[[faults.restart]] {one.party} cannot come back into a sum", "use [[faults.kill]]")
    if spec.clients is not None:
        if not hosted:
            yield Problem("[faults.clients] is of hosted clients, and there are none", "add [clients]")
        if spec.clients.vanish + spec.clients.straggle > 1:
            yield Problem("[faults.clients] vanish and straggle are more than all clients", "lower one of them")


def _check_party(table: str, name: str | None, known: Sequence[str]) -> Iterator[Problem]:
    if name is not None and name not in known:
        guess = nearest(name, known)
        yield Problem(
            f"{table} names {show_value(name)}, which is no party",
            f"did you mean '{guess}'?" if guess else f"the parties are {quote(known)}",
        )


def _check_when(table: str, one: MessageFault | KillSpec) -> Iterator[Problem]:
    said = one.model_fields_set
    ways = [key for key in ("probability", "stage", "at") if key in said]
    numbered = [key for key in ("number",) if key in said]
    if len(ways) + len(numbered) > 1:
        yield Problem(f"{table} has {quote([*ways, *numbered])}", "each says when it strikes: keep one of them")
    if "label" in said and ("stage" in said or "at" in said):
        yield Problem(f"{table} has label, which is of messages, and {ways[0]}", "keep one of them")
    for key in ("step", "of"):
        if key in said and "stage" not in said:
            yield Problem(f"{table} has {key}, and no stage", "say of which stage")


def check_words(faults: Iterable[Fault], labels: Iterable[str], stages: Iterable[str]) -> Iterator[Problem]:
    """The labels and stages of faults are among those of the run's plan."""
    for what, said, known in (
        ("label", [fault.label for fault in faults], sorted({*labels})),
        ("stage", [fault.stage for fault in faults], sorted({*stages})),
    ):
        for word in dict.fromkeys(said):
            if word is not None and word not in known:
                guess = nearest(word, known)
                hint = f"did you mean '{guess}'?" if guess else f"there are {quote(known)}"
                yield Problem(f"[faults] {what} = {show_value(word)}: this run has none such", hint)
