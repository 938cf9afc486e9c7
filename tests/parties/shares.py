"""Shares of a model that is known, as a training would have left them, for tests of what comes after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mpc.ring.fixed_point import encode
from mpc.sharing.share import Share
from parties.trust.share_file import Bound, Vault, write_share
from protocols.evaluation.shared_model import kept_scale
from protocols.rows.kept_model import SharedModel, Units

OWNERS = ("hospital_a", "hospital_b")
FEATURES = ("years", "dose", "marker")
MODEL = "0123456789abcdef" * 2


def bound(party: str, **changes: Any) -> Bound:
    """What a share is bound to."""
    given: dict[str, Any] = {
        "model": MODEL,
        "scenario": "ab" * 32,
        "party": party,
        "owners": OWNERS,
        "keys": {},
        "partition": "horizontal",
        "standardise": False,
        "features": FEATURES,
        "columns": {},
        "terms": changes.get("columns", {}).get(party, changes.get("features", FEATURES)),
        "categories": {},
        "dates": "refuse",
        "sealed_by": "file",
    }
    return Bound(**{**given, **changes})


def models(
    weights: Sequence[float],
    owners: Sequence[str] = OWNERS,
    seed: int = 0,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, SharedModel]:
    """Each owner's share of these weights, the intercept last; rows are in the weights' own units, or its columns."""
    d = len(weights) - 1
    words = encode(np.array(weights), kept_scale(d))
    draw = np.random.default_rng(seed).integers(0, 2**64, size=(len(owners) - 1, d + 1), dtype=np.uint64)
    first = words - np.add.reduce(draw)
    found = {}
    for name, part in zip(owners, [first, *draw], strict=True):
        width = len(columns[name]) if columns else d
        found[name] = SharedModel(Share(part, kept_scale(d)), Units.known(np.zeros(width), np.ones(width)))
    return found


def write_shares(
    folder: Path, weights: Sequence[float], *, vaults: Mapping[str, Vault] | None = None, seed: int = 0, **changes: Any
) -> dict[str, Path]:
    """Every owner's share in FOLDER/NAME.share, as `mpc run` would write it, or sealed by the owners' vaults."""
    owners = changes.get("owners", OWNERS)
    folder.mkdir(exist_ok=True)
    paths = {}
    for name, model in models(weights, owners, seed, changes.get("columns")).items():
        paths[name] = folder / f"{name}.share"
        vault = Vault(name, folder) if vaults is None else vaults[name]
        write_share(paths[name], bound(name, **changes), model, vault)
    return paths


def write_predict(
    folder: Path,
    rows: Mapping[str, str | None],
    shares: str | Mapping[str, str] = "trained",
    *,
    extra: str = "",
    name: str = "predict",
) -> Path:
    """A scenario that scores rows: each owner's CSV text, or None; and where the shares are."""
    text = [f'schema = 1\nname = "{name}"']
    for owner, csv in rows.items():
        text.append(f'[parties.{owner}]\nrole = "owner"')
        where = shares if isinstance(shares, str) else shares[owner]
        text.append(f'model = "{where}"')
        if csv is not None:
            (folder / f"{owner}_new.csv").write_text(csv)
            text.append(f'data = "{owner}_new.csv"')
    text.append(f'[parties.helper]\nrole = "helper"\n[task]\nkind = "predict"\n{extra}')
    path = folder / f"{name}.toml"
    path.write_text("\n".join(text) + "\n")
    return path


def csv_of(x: np.ndarray, names: Sequence[str] = FEATURES, ids: str = "p") -> str:
    """Rows as a CSV file with an id column."""
    lines = [",".join(("patient", *names))]
    lines += [",".join((f"{ids}{k}", *(repr(float(v)) for v in row))) for k, row in enumerate(x)]
    return "\n".join(lines) + "\n"


SPLIT = {"hospital_a": ("years", "dose"), "hospital_b": ("marker",)}


def write_split_shares(folder: Path, weights: Sequence[float], **changes: Any) -> dict[str, Path]:
    """Shares of a model whose first columns the one owner has, and the last the other."""
    return write_shares(folder, weights, **{"partition": "vertical", "columns": SPLIT, **changes})


def write_split_predict(
    folder: Path,
    x: np.ndarray,
    shares: str | Mapping[str, str] = "trained",
    *,
    to: str = "hospital_a",
    extra: str = "",
    name: str = "predict",
    orders: Mapping[str, Sequence[int]] | None = None,
) -> Path:
    """A scenario that scores rows x of the model of `SPLIT`, each owner's file in an order of its own."""
    rows, start = {}, 0
    for owner, columns in SPLIT.items():
        order = list((orders or {}).get(owner, range(len(x))))
        mine = x[order, start : start + len(columns)]
        lines = [f"p{k}," + ",".join(repr(float(v)) for v in row) for k, row in zip(order, mine, strict=True)]
        rows[owner] = "\n".join((",".join(("patient", *columns)), *lines)) + "\n"
        start += len(columns)
    extra = f'partition = "vertical"\nid = "patient"\nreveal_to = ["{to}"]\n{extra}'
    return write_predict(folder, rows, shares, extra=extra, name=name)
