"""The summary and the report of federated learning, from its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import (
    Block,
    Grid,
    Line,
    entries,
    seconds_text,
    short_bytes,
    table,
    to_digits,
    to_fixed,
)
from parties.tasks.base import Show
from parties.tasks.coefficients import coefficients_grid


def status(record: Mapping[str, Any]) -> Line:
    """How a run that succeeded ended, in one sentence."""
    part, name = table(record.get("federated")), str(table(record.get("scenario")).get("name") or "the run")
    if "rounds_done" in part:
        return Line(f"{name}: done, this client's part: it took part in {part.get('rounds_done')} rounds.", "bold")
    seconds = table(_server(record).get("seconds"))
    return Line(
        f"{name}: done. {part.get('method')} over {part.get('clients')} clients, {len(_training(part))} rounds, "
        f"{seconds_text(seconds.get('total'))} s in all, {seconds_text(seconds.get('online'))} s online.",
        "bold",
    )


def blocks(record: Mapping[str, Any]) -> list[Block]:
    """The model, its figures by round, who took part, and the cost."""
    part = table(record.get("federated"))
    if not part or "rounds_done" in part:
        return []
    return [*model_blocks(part), *rounds_blocks(part), *cost_blocks(record)]


def model_blocks(part: Mapping[str, Any]) -> list[Block]:
    """The model's coefficients, where it has any, and its figures."""
    found: list[Block] = []
    if part.get("aggregation") == "plain":
        found.append(Line("PLAIN: the server saw every client's own update. For comparison only.", "bold red"))
    split = table(part.get("split"))
    if split:
        what = f"labels in '{split.get('column')}'" if split.get("by") == "labels" else "quantity"
        dealt = f"rows dealt to {split.get('clients')} clients by {what}, Dirichlet({to_digits(split.get('alpha'))})"
        found.append(Line(f"A simulation: {dealt}, by the public seed {part.get('seed')}."))
    fit = table(part.get("fit"))
    if fit:
        rows = [table(one) for one in entries(fit.get("coefficients"))]
        found.append(coefficients_grid(rows, str(fit.get("test"))))
    elif part.get("coefficients"):
        pairs = tuple((str(name), to_digits(value)) for name, value in table(part["coefficients"]).items())
        found.append(Grid("Coefficients per unit of the feature", ("feature", "coefficient"), pairs))
    return found


def rounds_blocks(part: Mapping[str, Any]) -> list[Block]:
    """The figures by round."""
    rows = tuple(
        (
            str(one.get("round")),
            str(one.get("phase")),
            f"{one.get('clients')} of {one.get('of')}",
            to_fixed(one.get("loss")),
            to_fixed(one.get("accuracy")),
        )
        for one in map(table, entries(part.get("rounds")))
    )
    return [
        Grid("Round by round: the model that it began with", ("round", "phase", "clients", "loss", "accuracy"), rows)
    ]


def cost_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Traffic and computation."""
    server = _server(record)
    planned = table(table(record.get("plan")).get("bytes"))
    both = (server.get("bytes_sent"), server.get("bytes_received"))
    same = "as planned, to the byte" if both == (planned.get("server"), planned.get("clients")) else "NOT as planned"
    return [
        Line(f"Traffic of the server, given who answered: {same}."),
        Line(
            f"It sent {short_bytes(server.get('bytes_sent') or 0)} and received "
            f"{short_bytes(server.get('bytes_received') or 0)}, computed {seconds_text(server.get('computation'))} s, "
            f"and took {short_bytes(server.get('peak_memory') or 0)} of memory."
        ),
    ]


def _training(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in map(table, entries(part.get("rounds"))) if one.get("phase") in ("train", "newton")]


def _server(record: Mapping[str, Any]) -> Mapping[str, Any]:
    parties = table(record.get("parties")).values()
    return next((table(one) for one in parties if table(one).get("role") == "server"), {})


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """Of the last model on all held-out rows, and of the clients' own models on them."""
    part = table(record.get("federated"))
    last: Mapping[str, Any] = next(iter(reversed([table(one) for one in entries(part.get("rounds"))])), {})
    auc, personal = table(table(last.get("auc")).get("1")), table(last.get("personal"))
    by = "accuracy" if personal.get("gain_in") == "accuracy" else "loss"
    own = {f"{by} {kind}": value for kind, value in table(personal.get(by)).items() if kind != "global"}
    whole = ("loss", "accuracy", "root_mean_square")
    return {name.replace("_", " "): last.get(name) for name in whole} | {"AUC": auc.get("auc")} | own


_NOTHING_ELSE: Final = "No client's update was opened, nor the sum of fewer: the masks cancel in the whole sum only."

SHOW: Final = Show("The model", blocks, status=status, nothing_else=_NOTHING_ELSE, costs=True, figures=_figures)
