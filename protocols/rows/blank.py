"""The rows of a dry run: shapes without data."""

from __future__ import annotations

from mpc.ring.abstract_array import abstract
from mpc.runtime.party import Party
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns, OwnRows
from protocols.rows.settings import FitSettings


def blank_columns(p: Party, settings: FitSettings) -> OwnColumns:
    """For a dry run all columns are the first owner's: whose they are changes nothing in what is sent."""
    (rows,), (held_out,), d = settings.train_rows, settings.test_rows, settings.features
    names = {p.name: tuple(f"x{k}" for k in range(d))}
    return OwnColumns(
        names,
        p.name,
        abstract((rows, d)),
        abstract((rows,)),
        abstract((held_out, d)),
        abstract((held_out,)),
        abstract((DIGEST_BITS,)),
    )


def blank_rows(p: Party, settings: FitSettings) -> OwnRows:
    """An owner's rows in a dry run, and their weights where they have any: their shapes."""
    i, d = p.index, settings.features
    train, test = settings.train_rows[i], settings.test_rows[i]
    names = tuple(f"x{k}" for k in range(d))
    missing, weights = abstract((d + 1,)), OffsetWeights(None, abstract((train,)) if settings.weighted else None)
    return OwnRows(
        names, abstract((train, d)), abstract((train,)), abstract((test, d)), abstract((test,)), missing, weights
    )
