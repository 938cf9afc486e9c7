"""How parties meet: who runs what, on which shapes, by which plan; then the seeds. Before that no secret moves.

    hello    version, the scenario's public facts, nonces      everyone <-> everyone
    shapes   digests of the nonces that were heard; each owner's row counts, and its columns' names under a key that the
             helper does not have; where columns are split, the owners tell each other (not the helper) the names, for
             the model is about all of them
    columns  owner -> helper: how many columns they share; then all make the plan at the same time
    agree    the plan's digest and constants
    seeds    owner -> owner: the seed of their pair; helper -> owner: the seed it deals from

Where two parties differ they say so in words, naming the setting. What an owner has that others lack is not told.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from mpc.errors import DataError, DisagreementError, plain_text
from mpc.links.channel import Channel
from mpc.links.meeting.backlog import backlog
from mpc.links.meeting.exchange import (
    MOST_COLUMNS,
    Answer,
    as_columns,
    as_names,
    as_rows,
    as_seed,
    as_texts,
    as_truth,
    exchange,
    hear,
    tell,
)
from mpc.links.session import link_key
from mpc.randomness.streams import Entropy, derive, session_id
from mpc.runtime.plan import Plan

PLANNING_SECONDS = 1e-3
"""A round, of the plan that is just made: so much longer than for an answer to a round, a party waits for the others'.

It is twenty times as long as it takes on one core that has nothing else to do.
"""

_BRIEF = 100  # characters of a value that is shown: a public key, which one has to compare to its end, has 92


@dataclass(frozen=True)
class Table:
    """The players: all owners in order, and the helper."""

    owners: tuple[str, ...]
    helper: str

    @property
    def everyone(self) -> tuple[str, ...]:
        return (*self.owners, self.helper)


@dataclass(frozen=True)
class Common:
    """What all owners must have in common, compared as a keyed digest; and how it is called where they have not."""

    value: str
    what: str
    hint: str


@dataclass(frozen=True)
class Offer:
    """What this party brings.

    Args:
        version: of the software.
        facts: the scenario's public facts, as JSON values by dotted key.
        rows: an owner's numbers of training and test rows; None for the helper.
        columns: an owner's column names in order; None for the helper.
        has_target: where every owner has columns of its own: whether this one has the target; None elsewhere.
        common: what all owners must have in common beside that; None where there is nothing.
    """

    version: str
    facts: Mapping[str, Any]
    rows: tuple[int, int] | None
    columns: tuple[str, ...] | None
    has_target: bool | None = None
    common: Common | None = None


@dataclass(frozen=True)
class Agreement:
    """What all parties agreed on, and the seeds that this party shares with others."""

    session: bytes
    rows: Mapping[str, tuple[int, int]]  # each owner's training and test rows
    columns: tuple[str, ...]  # that all owners have, or this owner's own where columns are split; empty at the helper
    plan: Plan
    pair_seeds: Mapping[str, bytes] = field(repr=False)
    dealing_seeds: Mapping[str, bytes] = field(
        repr=False
    )  # at the helper by owner; at an owner under the helper's name
    split: SplitColumns | None = None  # at an owner where columns are split
    owners_key: bytes = field(default=b"", repr=False)  # of this session, known to the owners alone
    settings: Any = None  # the public settings that the plan was made of, where whoever made it wants to keep them

    @property
    def context(self) -> bytes:
        """What every key of the session is bound to."""
        return binding(self.session, self.plan)


@dataclass(frozen=True)
class SplitColumns:
    """Which owner has which columns, in the owners' order, and who has the target."""

    columns: Mapping[str, tuple[str, ...]]
    target_owner: str

    @property
    def count(self) -> int:
        """How many columns all owners have together."""
        return sum(len(names) for names in self.columns.values())


@dataclass(frozen=True)
class _Shapes:
    """Each owner's rows; at an owner the columns that it computes with, and how many the model has."""

    rows: Mapping[str, tuple[int, int]]
    columns: tuple[str, ...]
    count: int
    split: SplitColumns | None = None


PlanMaker = Callable[[Mapping[str, tuple[int, int]], int], Plan]
"""(each owner's training and test rows, how many columns) -> the plan."""


def binding(session: bytes, plan: Plan) -> bytes:
    """What every key of a session is bound to: the session and the plan."""
    return session + plan.digest.encode()


def meet(
    channel: Channel, table: Table, offer: Offer, make: PlanMaker, entropy: Entropy, connect_seconds: float
) -> Agreement:
    """Agree with all peers.

    Raises:
        DisagreementError: parties run different versions, scenarios, plans or constants; says which and how.
        DataError: the owners share no column; or, where columns are split, not exactly one has the target.
    """
    me = channel.me
    session = _hello(channel, table, offer, entropy, connect_seconds)
    shapes = _shapes(channel, table, offer, session)
    rows = shapes.rows
    plan = _bounding(channel, make(rows, _column_count(channel, table, shapes)))
    mine, peers = _summary(plan), [name for name in table.everyone if name != me]
    seconds = channel.deadline + PLANNING_SECONDS * len(plan.rounds)
    _compare(me, mine, exchange(channel, "agree", dict.fromkeys(peers, mine), seconds))
    pairs, dealing = _seeds(channel, table, entropy)
    key = derive(session.owners_key, "owners", session.name) if session.owners_key else b""
    return Agreement(session.name, rows, shapes.columns, plan, pairs, dealing, shapes.split, key)


def _column_count(channel: Channel, table: Table, shapes: _Shapes) -> int:
    """How many columns the owners share, or have together: they tell the helper."""
    if channel.me != table.helper:
        tell(channel, table.helper, "columns", {"columns": shapes.count})
        return shapes.count
    counts = {owner: hear(channel, owner, "columns").read("columns", as_columns) for owner in table.owners}
    if len(set(counts.values())) != 1:
        raise DisagreementError(f"the owners disagree on how many columns they share: {counts}")
    return counts[table.owners[0]]


def _bounding(channel: Channel, plan: Plan) -> Plan:
    """The plan, by which messages are bounded from now on."""
    me, everyone = channel.me, (*plan.owners, plan.helper)
    peers = [peer for peer in everyone if peer != me]
    theirs, own = {p: backlog(plan, p, me) for p in peers}, {p: backlog(plan, me, p) for p in peers}
    channel.bound(theirs, own, plan.stages, len(plan.rounds))
    return plan


@dataclass(frozen=True)
class _Session:
    """What follows from the hellos: the session's name, each party's nonce, and what the owners make keys of.

    The last is empty at the helper.
    """

    name: bytes
    nonces: Mapping[str, bytes]
    owners_key: bytes = field(repr=False)

    @property
    def nonce_digests(self) -> dict[str, str]:
        """A digest of each party's nonce."""
        return {party: sha256(nonce).hexdigest() for party, nonce in sorted(self.nonces.items())}


def _hello(channel: Channel, table: Table, offer: Offer, entropy: Entropy, seconds: float) -> _Session:
    """Meet all peers, and have a key with each as soon as it said hello: it can then be told who else is waited for.

    A link's key is bound to the nonces of its two ends alone. A party that says one hello to one peer and another to
    the next is found out in the next round, in which all tell each other what they heard, and not by others' tags.
    """
    me = channel.me
    nonce, shared = entropy("hello"), entropy("names")
    parts = {peer: entropy(f"link/{peer}") for peer in table.everyone if peer != me}
    about = {"version": offer.version, "facts": dict(offer.facts)}
    channel.introduce(about)
    said = {**about, "nonce": nonce.hex()}
    messages = {
        peer: {
            **said,
            "part": part.hex(),
            **({"names": shared.hex()} if peer != table.helper and me != table.helper else {}),
        }
        for peer, part in parts.items()
    }

    def heard(peer: str, said: Answer) -> None:
        _same_program(me, peer, offer, said)
        pair = session_id({me: nonce, peer: said.read("nonce", as_seed)})
        channel.rekey(peer, link_key(pair, {me: parts[peer], peer: said.read("part", as_seed)}))

    got = exchange(channel, "hello", messages, seconds, heard)
    nonces = {me: nonce, **{peer: answer.read("nonce", as_seed) for peer, answer in got.items()}}
    channel.trace.stage("handshake", 0, 0)
    if me == table.helper:
        return _Session(session_id(nonces), nonces, b"")
    keys = {me: shared, **{peer: got[peer].read("names", as_seed) for peer in table.owners if peer != me}}
    return _Session(session_id(nonces), nonces, b"".join(keys[name] for name in table.owners))


def _same_hellos(me: str, peer: str, session: _Session, said: Answer) -> None:
    """That a peer heard of all what this party heard."""
    nonce_digests = said.read("hellos", dict[str, str])
    for party, digest in session.nonce_digests.items():
        if nonce_digests.get(party) == digest:
            continue
        if party in (me, peer):
            raise DisagreementError(
                f"{peer} tells of another hello than was said between {peer} and {me}",
                f"see what runs as {peer}, and its log",
                party=peer,
            )
        raise DisagreementError(
            f"{party} said one hello to {me} and another to {peer}, as {peer} tells",
            f"see what runs as {party}, and its log; if nothing is wrong there, what runs as {peer}",
            party=party,
            told_by=peer,
        )


def _same_program(me: str, peer: str, offer: Offer, said: Answer) -> None:
    if said["version"] != offer.version:
        raise DisagreementError(
            f"{me} runs version {_brief(offer.version)} and {peer} version {_brief(said['version'])}",
            "install the same version everywhere",
            party=peer,
        )
    theirs = said.read("facts", dict[str, Any])
    for key in [*offer.facts, *(key for key in theirs if key not in offer.facts)]:
        mine, other = offer.facts.get(key), theirs.get(key)
        if mine != other:
            raise DisagreementError(
                f"the scenarios of {me} and {peer} differ: {plain_text(key, _BRIEF)} is {_brief(mine)} here and "
                f"{_brief(other)} there",
                "all parties must run the same scenario file",
                party=peer,
            )


def _brief(value: Any) -> str:
    """A value that may be a peer's, in ASCII and not long."""
    try:
        return plain_text("not set" if value is None else json.dumps(value), _BRIEF)
    except RecursionError:
        return "nested too deeply"


def _shapes(channel: Channel, table: Table, offer: Offer, session: _Session) -> _Shapes:
    """What the owners bring. The helper is told their rows only. All say whose hellos they heard."""
    me, split = channel.me, offer.has_target is not None
    name_key = derive(session.owners_key, "column names", session.name) if session.owners_key else b""
    digests = [_name_digest(name_key, name) for name in offer.columns or ()]
    to_owner: dict[str, Any] = {"rows": offer.rows, "names": list(offer.columns or ()) if split else digests}
    if split:
        to_owner["target"] = offer.has_target
    if offer.common is not None:
        to_owner["common"] = _name_digest(name_key, offer.common.value)
    messages = {
        peer: {
            "hellos": session.nonce_digests,
            **({} if me == table.helper else to_owner if peer != table.helper else {"rows": offer.rows}),
        }
        for peer in table.everyone
        if peer != me
    }
    got = exchange(channel, "shapes", messages, None, lambda peer, said: _same_hellos(me, peer, session, said))
    _same_common(me, table, offer.common, to_owner.get("common"), got)
    rows = {owner: as_rows(offer.rows) if owner == me else got[owner].read("rows", as_rows) for owner in table.owners}
    if offer.columns is None:
        return _Shapes(rows, (), 0)
    if split:
        return _split_columns(me, table, offer, rows, got)
    names = {owner: digests if owner == me else got[owner].read("names", as_texts) for owner in table.owners}
    everywhere = set(digests).intersection(*names.values())
    name_of = dict(zip(digests, offer.columns, strict=True))
    order = [digest for digest in names[table.owners[0]] if digest in everywhere]
    if not order:
        raise DataError(
            f"{me}: no numeric column is shared by all owners",
            "give the columns the same names everywhere, or list `features` in the scenario",
            party=me,
        )
    return _Shapes(rows, tuple(name_of[digest] for digest in order), len(order))


def _same_common(me: str, table: Table, common: Common | None, mine: Any, got: Mapping[str, Answer]) -> None:
    """Raises a DisagreementError where an owner has something else than this one."""
    if common is None:
        return
    for peer in table.owners:
        if peer != me and got[peer]["common"] != mine:
            raise DisagreementError(f"{me} and {peer} have {common.what}", common.hint, party=peer)


def _split_columns(
    me: str, table: Table, offer: Offer, rows: Mapping[str, tuple[int, int]], got: Mapping[str, Answer]
) -> _Shapes:
    """Every owner's own columns: the model is about all of them, so the owners tell each other their names."""
    mine = tuple(offer.columns or ())
    names = {owner: mine if owner == me else got[owner].read("names", as_names) for owner in table.owners}
    holders = [
        owner for owner in table.owners if (offer.has_target if owner == me else got[owner].read("target", as_truth))
    ]
    if len(holders) != 1:
        raise target_error(holders, me)
    split = SplitColumns(names, holders[0])
    if split.count > MOST_COLUMNS:
        most = max(names, key=lambda owner: len(names[owner]))
        raise DisagreementError(
            f"{most} says that it has {len(names[most]):,} columns; all together may have {MOST_COLUMNS:,}",
            f"ask {most} which data it uses, or list `features` in its entry",
            party=most,
        )
    if not split.count:
        raise DataError(f"{me}: no owner has a numeric column", "give the columns that predict the target", party=me)
    return _Shapes(rows, mine, split.count, split)


def target_error(holders: Sequence[str], me: str | None = None) -> DataError:
    """The error where columns are split, and several owners have the target or none has."""
    hint = "correct `target` in the scenario, or name the column otherwise at the others"
    who = f"{' and '.join(holders)} have" if holders else "no owner has"
    return DataError(f"{who} the target, but exactly one owner must have it", hint, party=me)


def _name_digest(key: bytes, name: str) -> str:
    return hmac.digest(key, name.encode(), "sha256")[:16].hex()


def _summary(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.digest,
        "constants": plan.constants,
        "rounds": len(plan.rounds),
        "correlations": len(plan.kinds),
    }


def _compare(me: str, mine: Mapping[str, Any], theirs: Mapping[str, Mapping[str, Any]]) -> None:
    for peer, said in theirs.items():
        for key, words in (
            ("rounds", "number of rounds"),
            ("correlations", "number of correlations"),
            ("constants", "public constants"),
            ("plan", "plan"),
        ):
            if said.get(key) != mine[key]:
                raise DisagreementError(
                    f"{me} and {peer} differ in the {words}: {_brief(mine[key])} and {_brief(said.get(key))}",
                    "install the same version everywhere",
                    party=peer,
                )


def _seeds(channel: Channel, table: Table, entropy: Entropy) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The pair seeds (the earlier owner draws), and the dealing seeds (the helper draws)."""
    me, order = channel.me, table.owners
    pairs: dict[str, bytes] = {}
    dealing: dict[str, bytes] = {}
    messages: dict[str, dict[str, Any]] = {peer: {} for peer in table.everyone if peer != me}
    for peer, message in messages.items():
        if me == table.helper:
            dealing[peer] = entropy(f"deal/{peer}")
            message.update(seed=dealing[peer].hex())
        elif peer != table.helper and order.index(me) < order.index(peer):
            pairs[peer] = entropy(f"pair/{peer}")
            message.update(seed=pairs[peer].hex())
    got = exchange(channel, "seeds", messages, None)
    for peer, answer in got.items():
        if peer == table.helper:
            dealing[peer] = answer.read("seed", as_seed)
        elif me != table.helper and order.index(peer) < order.index(me):
            pairs[peer] = answer.read("seed", as_seed)
    return pairs, dealing
