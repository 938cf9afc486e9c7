"""The rounds of a run, and what each owner saw in them, for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from beaverlodge.shown import table_html
from mpc.errors import UsageError
from mpc.ring.array import Array
from parties.trace.lanes import Lane, RoundSeen
from parties.trace.page import trace_html
from parties.trace.totals import times, where
from parties.trace.values import Value, amiss, values_of

_MOST_ROWS: Final = 200
_WORDS: Final = 3


@dataclass(frozen=True)
class Trace:
    """What every party did in each round; a notebook shows the page that `mpc trace` writes.

    Attributes:
        lanes: a lane a party.
    """

    lanes: Sequence[Lane]
    record: Mapping[str, Any]

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """A row for each round of each party; milliseconds, and bytes to all others."""
        return [_round(lane, one, number) for lane in self.lanes for number, one in enumerate(lane.protocol, 1)]

    @property
    def values(self) -> list[Value]:
        """Every value of a run under a test seed: shares, masks, what was opened, and the reference's."""
        return values_of(self.lanes, self.record)

    @property
    def amiss(self) -> list[str]:
        """What is wrong with these values: where they leave the reference, and masks that cover two."""
        return list(amiss(self.values))

    def page(self) -> str:
        """The page, as HTML."""
        return trace_html(self.lanes, self.record)

    def save(self, path: str | Path) -> None:
        """Write the page to a file."""
        Path(path).write_text(self.page(), encoding="utf-8")

    def __repr__(self) -> str:
        return f"<trace of {len(self.lanes)} parties: {sum(len(lane.protocol) for lane in self.lanes)} rounds>"

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its script and style touch nothing else."""
        return (
            f'<iframe srcdoc="{html.escape(self.page())}" width="100%" height="720" sandbox="allow-scripts"></iframe>'
        )


def _round(lane: Lane, one: RoundSeen, number: int) -> dict[str, Any]:
    handed, ready, ended = times(one, lane.last)
    return {
        "party": lane.party,
        "round": number,
        "label": one.label,
        "line": where(one),
        "computing": (one.asked - one.began + ready - handed) / 1000,
        "sending": (handed - one.asked) / 1000,
        "waiting": (ended - ready) / 1000,
        "bytes": sum(one.sent.values()),
    }


@dataclass(frozen=True)
class Seen:
    """One value in a party's view.

    Attributes:
        what: "input", "share" or "watch": its share of such a value; "mask": its share of a mask; "masked": its share
            of a value less that mask, which it sends; "opened": what these add up to, which all see; "told": a result.
        label: of the round, or whose input it is.
        round: the first is 1.
        words: of the ring; of long ones the first 256.
    """

    what: str
    label: str
    round: int
    shape: tuple[int, ...]
    scale: int
    words: Array


class Views(Mapping[str, "View"]):
    """Owner -> what it held and saw."""

    def __init__(self, views: Mapping[str, View]) -> None:
        self._views = dict(views)

    def __getitem__(self, owner: str) -> View:
        return self._views[owner]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __repr__(self) -> str:
        return f"<views of {', '.join(self)}>"

    def _repr_html_(self) -> str:
        return "".join(view._repr_html_() for view in self.values())


@dataclass(frozen=True)
class View:
    """All that one owner held and saw, in the order of its rounds."""

    owner: str
    seen: Sequence[Seen]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each value."""
        return [{**vars(one), "words": one.words} for one in self.seen]

    def words(self, what: str, label: str | None = None) -> Array:
        """All words of such values, one after another.

        Args:
            what: as `Seen` has it.
            label: of the round; any where left out.

        Raises:
            UsageError: there is none.
        """
        found = [one.words for one in self.seen if one.what == what and label in (None, one.label)]
        if not found:
            kinds = ", ".join(sorted({f"{one.what} '{one.label}'" for one in self.seen}))
            raise UsageError(f"{self.owner} saw no {what}" + (f" '{label}'" if label else ""), f"it saw {kinds}")
        return np.concatenate(found)

    def __repr__(self) -> str:
        return f"<view of {self.owner}: {len(self.seen)} values>"

    def _repr_html_(self) -> str:
        rows = [
            (str(one.round), one.what, one.label, "×".join(map(str, one.shape)), _hex(one))
            for one in self.seen[:_MOST_ROWS]
        ]
        more = len(self.seen) - len(rows)
        title = f"What {self.owner} held and saw" + (f" (the first {len(rows)} of {len(self.seen)})" if more else "")
        return table_html(title, ("round", "what", "label", "shape", "first words"), rows)


def _hex(one: Seen) -> str:
    shown = " ".join(f"{int(word):x}" for word in one.words[:_WORDS])
    return shown + (" …" if len(one.words) > _WORDS else "")


def views_of(trace: Trace, owners: Sequence[str]) -> Views:
    """What each owner held and saw.

    Raises:
        UsageError: no values were recorded.
    """
    if not any(lane.values for lane in trace.lanes):
        raise UsageError(
            "without a test seed no share, mask or opened value is kept", "simulate(..., insecure_seed=1) keeps them"
        )
    values = trace.values
    return Views({owner: View(owner, [one for value in values for one in _seen(value, owner)]) for owner in owners})


def _seen(value: Value, owner: str) -> Iterator[Seen]:
    def one(what: str, words: Array) -> Seen:
        return Seen(what, value.label, value.number + 1, value.shape, value.scale, words)

    if owner in value.masks:
        yield one("mask", value.masks[owner])
    if owner in value.parts:
        yield one(value.what, value.parts[owner])
