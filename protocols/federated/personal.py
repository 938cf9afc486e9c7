"""Models of a client's own, beside the global one w*, and who gains by them.

    alone        own rows only, from the start of the training
    fine-tuned   from w*, with the same training on own rows
    Ditto        argmin_v F(v) + (lambda / 2) |v - w*|^2, F the mean loss of own rows   (Li et al. 2021, equation 1)

Ditto's inner problem is solved at the final w*, by the same training with an anchor: lambda = 0 is fine-tuning, and
lambda -> infinity leaves w* itself.

Each client judges all of them on rows that it held out, by a public draw, from every training. It learns its own gain:
the loss or the accuracy of the personal model against the global one's. Of all clients, sums tell how many gained how
much (a histogram), for how many which model is best, and the mean loss and accuracy of each model. The server sees
these counts of clients, be it a single one; what it tells others is its caller's to withhold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.federated.coding import Part
from protocols.federated.draws.numbers import permutation
from protocols.federated.evaluate import LOSS_SCALE, clipped, predicted
from protocols.federated.local import Local, train
from protocols.federated.models import Model, Rows

Kind = Literal["alone", "global", "fine-tuned", "ditto"]


def held_out(rows: int, fraction: float, stream: Stream) -> tuple[Array, Array]:
    """The numbers of the rows to train on and of those held out, ascending; drawn from a public stream.

    round(rows * fraction) are held out, but one is kept to train on.
    """
    order = permutation(stream, rows)
    out = min(round(rows * fraction), max(0, rows - 1))
    return np.sort(order[out:]), np.sort(order[:out])


def alone(model: Model, rows: Rows, how: Local, stream: Stream) -> Array:
    """The model of own rows only (size,)."""
    return train(model, model.start(stream), rows, replace(how, proximal=0.0), stream)


def fine_tune(model: Model, w: Array, rows: Rows, how: Local, stream: Stream) -> Array:
    """The global model, trained on own rows (size,)."""
    return train(model, w, rows, replace(how, proximal=0.0), stream)


def ditto(model: Model, w: Array, rows: Rows, how: Local, lam: float, stream: Stream) -> Array:
    """Ditto's personal model at the global one (size,).

    With the step's length rate / (1 + rate lam) a step is v <- (v - rate grad F(v) + rate lam w*) / (1 + rate lam): the
    penalty is taken at the step's end, which is stable however large lam is.
    """
    rate = how.rate / (1 + how.rate * lam)
    return train(model, w, rows, replace(how, proximal=lam, rate=rate), stream)


@dataclass(frozen=True)
class Own:
    """A model's figures on a client's held-out rows: their number, the mean (clipped) loss, the part that is right.

    `accuracy` is None of a model of numbers.
    """

    rows: int
    loss: float
    accuracy: float | None


def own_figures(model: Model, w: Array, rows: Rows, most_loss: float, *, classes: bool) -> Own | None:
    """The figures of one model on held-out rows; None without rows."""
    if not rows.y.size:
        return None
    loss = float(clipped(model.losses(w, rows), most_loss).mean())
    accuracy = float(np.mean(predicted(model.scores(w, rows.x)) == rows.y)) if classes else None
    return Own(int(rows.y.size), loss, accuracy)


@dataclass(frozen=True)
class Comparison:
    """What is summed up, the same at all clients.

    Args:
        kinds: the models, "global" among them.
        edges: of the gains' bins, ascending: a gain below the first is in bin 0, one from edges[k] on in bin k + 1.
        classes: whether the gain is in accuracy; else in loss.
        most_rows: the most held-out rows of a client; most_loss: what a row's loss is clipped to.
        loss_scale: a power of two, of the sums of losses.
    """

    kinds: tuple[Kind, ...]
    edges: tuple[float, ...]
    classes: bool
    most_rows: int
    most_loss: float = 32.0
    loss_scale: float = LOSS_SCALE

    @property
    def personal(self) -> tuple[Kind, ...]:
        """All but the global one."""
        return tuple(kind for kind in self.kinds if kind != "global")


def gain(personal: Own, of_all: Own) -> float:
    """What a client gains by its personal model: accuracy, or a lower loss of a model of numbers."""
    if personal.accuracy is not None and of_all.accuracy is not None:
        return personal.accuracy - of_all.accuracy
    return of_all.loss - personal.loss


def best_of(own: Mapping[Kind, Own], how: Comparison) -> Kind:
    """The best model for a client: of the highest accuracy (of equal ones, of the least loss), or of the least loss.

    Of equals the first of `kinds`.
    """
    return max(how.kinds, key=lambda kind: (own[kind].accuracy or 0.0, -own[kind].loss))


def personal_parts(how: Comparison) -> tuple[Part, ...]:
    """The parts of a client's vector."""
    parts = [Part("personal clients", 1, 0, 1), Part("personal rows", 1, 0, how.most_rows)]
    parts += [Part(f"gain of {kind}", len(how.edges) + 1, 0, 1) for kind in how.personal]
    parts.append(Part("best model", len(how.kinds), 0, 1))
    for kind in how.kinds:
        parts.append(Part(f"loss of {kind}", 1, 0, how.most_loss * how.most_rows, how.loss_scale))
        if how.classes:
            parts.append(Part(f"correct of {kind}", 1, 0, how.most_rows))
    return tuple(parts)


def personal_sums(own: Mapping[Kind, Own] | None, how: Comparison) -> dict[str, Array]:
    """A client's addends; 0 of a client without held-out rows (None)."""
    sums = {part.name: np.zeros(part.length) for part in personal_parts(how)}
    if own is None:
        return sums
    rows = own["global"].rows
    sums["personal clients"][0] = 1
    sums["personal rows"][0] = rows
    for kind in how.personal:
        sums[f"gain of {kind}"][np.searchsorted(how.edges, gain(own[kind], own["global"]), side="right")] = 1
    sums["best model"][how.kinds.index(best_of(own, how))] = 1
    for kind in how.kinds:
        sums[f"loss of {kind}"][0] = own[kind].loss * rows
        accuracy = own[kind].accuracy
        if accuracy is not None:
            sums[f"correct of {kind}"][0] = round(accuracy * rows)
    return sums


@dataclass(frozen=True)
class PersonalFigures:
    """Of all clients with held-out rows.

    Args:
        gains: by kind the number of clients in each bin.
        best: by kind the number of clients for which it is best.
        loss: by kind the mean over all held-out rows; accuracy: likewise; None of models of numbers.
    """

    clients: int
    rows: int
    gains: Mapping[Kind, tuple[int, ...]]
    best: Mapping[Kind, int]
    loss: Mapping[Kind, float]
    accuracy: Mapping[Kind, float] | None


def personal_figures(sums: Mapping[str, Array], how: Comparison) -> PersonalFigures:
    """The figures, from the decoded sums."""
    rows = round(float(sums["personal rows"][0]))

    def mean(name: str) -> float:
        return float(sums[name][0]) / max(rows, 1)

    return PersonalFigures(
        round(float(sums["personal clients"][0])),
        rows,
        {kind: _counts(sums[f"gain of {kind}"]) for kind in how.personal},
        dict(zip(how.kinds, _counts(sums["best model"]), strict=True)),
        {kind: mean(f"loss of {kind}") for kind in how.kinds} if rows else {},
        {kind: mean(f"correct of {kind}") for kind in how.kinds} if rows and how.classes else None,
    )


def _counts(sums: Array | Sequence[float]) -> tuple[int, ...]:
    return tuple(int(one) for one in np.rint(sums))
