"""What the owners' tables are like, as far as they tell each other: numbers of rows, and which columns."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpc.errors import DataError, DisagreementError
from mpc.links.channel import Channel
from mpc.links.meeting.exchange import (
    MOST_COLUMNS,
    Answer,
    as_columns,
    as_names,
    as_rows,
    as_texts,
    as_truth,
    exchange,
    hear,
    tell,
)
from mpc.links.meeting.hello import Session, check_same_hellos
from mpc.links.meeting.offer import Common, Offer, Table
from mpc.randomness.streams import derive


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
class Shapes:
    """Each owner's rows; at an owner the columns that it computes with, and how many the model has."""

    rows: Mapping[str, tuple[int, int]]
    columns: tuple[str, ...]
    count: int
    split: SplitColumns | None = None


def tell_shapes(channel: Channel, table: Table, offer: Offer, session: Session) -> Shapes:
    """Exchange the owners' shapes. The helper gets their rows only. All send digests of the hellos that they heard."""
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
    got = exchange(channel, "shapes", messages, None, lambda peer, said: check_same_hellos(me, peer, session, said))
    _same_common(me, table, offer.common, to_owner.get("common"), got)
    rows = {owner: as_rows(offer.rows) if owner == me else got[owner].read("rows", as_rows) for owner in table.owners}
    if offer.columns is None:
        return Shapes(rows, (), 0)
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
    return Shapes(rows, tuple(name_of[digest] for digest in order), len(order))


def column_count(channel: Channel, table: Table, shapes: Shapes) -> int:
    """How many columns the owners share, or have together: they tell the helper."""
    if channel.me != table.helper:
        tell(channel, table.helper, "columns", {"columns": shapes.count})
        return shapes.count
    counts = {owner: hear(channel, owner, "columns").read("columns", as_columns) for owner in table.owners}
    if len(set(counts.values())) != 1:
        raise DisagreementError(f"the owners disagree on how many columns they share: {counts}")
    return counts[table.owners[0]]


def _same_common(me: str, table: Table, common: Common | None, mine: Any, got: Mapping[str, Answer]) -> None:
    """Raise a DisagreementError where an owner's common fact differs from this one's."""
    if common is None:
        return
    for peer in table.owners:
        if peer != me and got[peer]["common"] != mine:
            raise DisagreementError(f"{me} and {peer} have {common.what}", common.hint, party=peer)


def _split_columns(
    me: str, table: Table, offer: Offer, rows: Mapping[str, tuple[int, int]], got: Mapping[str, Answer]
) -> Shapes:
    """Every owner's own columns: the model has all of them, so the owners exchange their names."""
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
    return Shapes(rows, mine, split.count, split)


def target_error(holders: Sequence[str], me: str | None = None) -> DataError:
    """The error where columns are split, and several owners have the target or none has."""
    hint = "correct `target` in the scenario, or name the column otherwise at the others"
    who = f"{' and '.join(holders)} have" if holders else "no owner has"
    return DataError(f"{who} the target, but exactly one owner must have it", hint, party=me)


def _name_digest(key: bytes, name: str) -> str:
    return hmac.digest(key, name.encode(), "sha256")[:16].hex()
