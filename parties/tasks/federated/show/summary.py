"""The summary of federated learning, from its record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from parties.show.blocks import (
    MISSING,
    Block,
    Grid,
    Line,
    count_text,
    entries,
    is_number,
    plural,
    seconds_text,
    short_bytes,
    table,
    to_digits,
    to_fixed,
)
from parties.tasks.base import Show
from parties.tasks.coefficients import coefficients_grid
from parties.tasks.star.noise import spent_blocks
from parties.tasks.star.record import done_line, names_text, run_name, server_of, traffic_line

MOST_ROUNDS: Final = 30
"""The most rounds in the summary's table: of more, the first ones, and the last."""
_FIRST_ROUNDS: Final = 5
WITHHELD: Final = "*"
PLAIN: Final = "PLAIN: the server saw every client's own update and figures. For comparison only."


def status(record: Mapping[str, Any]) -> Line:
    """How a run that succeeded ended, in one sentence."""
    part = table(record.get("federated"))
    if "rounds_done" in part:
        done = plural(part.get("rounds_done", 0), "round")
        return Line(f"{run_name(record)}: done. This client took part in {done}.", "bold")
    rounds = len([one for one in rounds_of(part) if one.get("phase") in ("train", "newton")])
    early = ", stopped early" if part.get("stopped_early") else ""
    what = f"{part.get('method')} over {count_text(part.get('clients'))} clients, {plural(rounds, 'round')}{early}"
    return done_line(record, what)


def blocks(record: Mapping[str, Any]) -> list[Block]:
    """The model, its figures by round, the personal models, who took part, and the cost."""
    part = table(record.get("federated"))
    if "rounds_done" in part:
        return own_blocks(part)
    if not part:
        return []
    return [
        *model_blocks(part),
        *rounds_blocks(part, few=True),
        *personal_blocks(part),
        *clients_blocks(part),
        *cost_blocks(record),
    ]


def model_blocks(part: Mapping[str, Any]) -> list[Block]:
    """The model's coefficients, where it has any, and its figures in the end."""
    found: list[Block] = []
    if part.get("aggregation") == "plain":
        found.append(Line(PLAIN, "bold red"))
    split = table(part.get("split"))
    if split:
        what = f"labels in '{split.get('column')}'" if split.get("by") == "labels" else "quantity"
        dealt = f"rows dealt to {split.get('clients')} clients by {what}, Dirichlet({to_digits(split.get('alpha'))})"
        found.append(Line(f"A simulation: {dealt}, by the public seed {part.get('seed')}."))
    fit = table(part.get("fit"))
    if fit:
        error = to_digits(fit.get("rounding_in_standard_errors"), 2)
        rows = [table(one) for one in entries(fit.get("coefficients"))]
        found.append(coefficients_grid(rows, str(fit.get("test"))))
        found.append(
            Line(
                f"The maximum-likelihood fit to {count_text(fit.get('rows'))} rows of the clients that took part, as "
                f"if pooled: deviance {to_digits(fit.get('deviance'))}, {plural(fit.get('steps', 0), 'step')}. "
                f"Rounding may have moved a coefficient by {error} standard errors."
            )
        )
    elif part.get("coefficients"):
        pairs = tuple((str(name), to_digits(value)) for name, value in table(part["coefficients"]).items())
        found.append(Grid("Coefficients per unit of the feature", ("feature", "coefficient"), pairs))
    found += spent_blocks(table(part.get("privacy")))
    last: Mapping[str, Any] = next((one for one in rounds_of(part) if one.get("phase") == "evaluate"), {})
    if is_number(last.get("loss")) and part.get("privacy"):
        found.append(Line(f"On held-out rows, each client counted once, with noise: {_noisy_text(last)}."))
    elif is_number(last.get("loss")):
        on = "rows of the fit" if fit else "held-out rows"
        found.append(Line(f"On the clients' {count_text(last.get('rows'))} {on}: {_figures_text(last)}."))
    return found


def _noisy_text(last: Mapping[str, Any]) -> str:
    """Figures, with what noise may be off by in 95 of 100 runs."""
    errors, parts = table(last.get("errors")), []
    for name in ("accuracy", "loss", "root_mean_square"):
        if is_number(last.get(name)):
            error = f" +- {to_fixed(errors[name])}" if is_number(errors.get(name)) else ""
            parts.append(f"{name.replace('_', ' ')} {to_fixed(last[name])}{error}")
    return ", ".join(parts)


def _figures_text(last: Mapping[str, Any]) -> str:
    parts = [f"loss {to_fixed(last.get('loss'))}"]
    if is_number(last.get("accuracy")):
        parts.append(f"accuracy {to_fixed(last['accuracy'])}")
    if is_number(last.get("root_mean_square")):
        parts.append(f"root mean square error {to_digits(last['root_mean_square'])}")
    for name, one in table(last.get("auc")).items():
        auc = table(one)
        if auc:
            of = f" of class {name}" if len(table(last["auc"])) > 1 else ""
            interval = f" (95 % {to_fixed(auc.get('low'))} to {to_fixed(auc.get('high'))})" if auc.get("se") else ""
            parts.append(f"AUC{of} {to_fixed(auc.get('auc'))}{interval}")
    return ", ".join(parts)


def rounds_blocks(part: Mapping[str, Any], *, few: bool = False) -> list[Block]:
    """The figures by round: of the model that a round began with."""
    found = rounds_of(part)
    cut = few and len(found) > MOST_ROUNDS
    shown = [*found[:_FIRST_ROUNDS], *found[_FIRST_ROUNDS - MOST_ROUNDS :]] if cut else found
    second = "root mean square" if any(is_number(one.get("root_mean_square")) for one in found) else "accuracy"
    key = second.replace(" ", "_")
    noisy = any("epsilon" in one for one in found)
    rows = tuple(
        (
            count_text(one.get("round")),
            str(one.get("phase")),
            f"{count_text(one.get('clients'))} of {count_text(one['of'])}" if is_number(one.get("of")) else "given up",
            to_fixed(one.get("loss")),
            to_fixed(one.get(key)),
            short_bytes(table(one.get("bytes")).get("client_sends") or 0),
            short_bytes(table(one.get("bytes")).get("client_receives") or 0),
            seconds_text(one.get("seconds")),
            *((to_digits(one.get("epsilon"), 4),) if noisy else ()),
        )
        for one in shown
    )
    columns = (
        "round",
        "does",
        "clients",
        "loss",
        second,
        "a client sent",
        "it received",
        "seconds",
        *(("epsilon spent",) if noisy else ()),
    )
    more: list[Block] = [Line(f"Rounds {_FIRST_ROUNDS + 1} to {len(found) - MOST_ROUNDS + _FIRST_ROUNDS} left out.")]
    best = table(part.get("best"))
    said = f"The lowest loss was that of the model that round {best.get('round')} began with." if best else ""
    return [
        Grid("Round by round, the figures of the model that it began with", columns, rows),
        *(more if cut else []),
        *([Line(said)] if said else []),
    ]


def personal_blocks(part: Mapping[str, Any]) -> list[Block]:
    """The histogram of the clients' gains by models of their own, and for what share which model is best."""
    one = personal_of(part)
    if not one:
        return []
    total, m = int(one.get("clients") or 0), int(one.get("min_cell") or 0)
    kinds = [str(kind) for kind in table(one.get("best"))]
    losses, accuracies = table(one.get("loss")), table(one.get("accuracy"))
    best = tuple(
        (
            kind,
            share_text(table(one["best"]).get(kind), total),
            to_fixed(losses.get(kind)),
            to_fixed(accuracies.get(kind)),
        )
        for kind in kinds
    )
    bins, gains = gain_bins(one), table(one.get("gains"))
    rows = tuple(
        (label, *(count_or_withheld(entries(gains[kind])[place]) for kind in gains)) for place, label in enumerate(bins)
    )
    hidden = (
        any(count is None for kind in gains for count in entries(gains[kind])) or None in table(one["best"]).values()
    )
    note = f"{WITHHELD}: withheld, for fewer than {m} clients, or to hide such a count; the server saw it."
    return [
        Grid("Models of the clients' own, beside that of all", ("model", "best for", "loss", "accuracy"), best),
        Grid(f"Clients by their gain in {one.get('gain_in')} over the model of all", ("gain", *map(str, gains)), rows),
        *([Line(note)] if hidden else []),
    ]


def clients_blocks(part: Mapping[str, Any]) -> list[Block]:
    """Who took part, and what went wrong."""
    found: list[Block] = []
    rounds = rounds_of(part)
    lost = [one for one in rounds if table(one.get("dropped"))]
    if lost:
        count = sum(len(entries(gone)) for one in lost for gone in table(one["dropped"]).values())
        found.append(Line(f"Clients dropped out {count_text(count)} times, in {len(lost)} of {len(rounds)} rounds."))
    else:
        found.append(Line("No client dropped out."))
    repeated = [one for one in rounds if entries(one.get("failed_attempts"))]
    if repeated:
        why = entries(repeated[-1]["failed_attempts"])[-1]
        found.append(
            Line(f"{len(repeated)} rounds took more than one attempt, or were given up; at last because {why}.")
        )
    wrong = sorted({str(name) for one in rounds for name in table(one.get("wrong_shares"))})
    if wrong:
        found.append(Line(f"WRONG SHARES came from {names_text(wrong)}; none was used.", "bold red"))
    work = table(part.get("client_work"))
    if work.get("clipped_updates"):
        text = (
            f"{count_text(work['clipped_updates'])} of {count_text(work.get('rounds'))} vectors had a clipped update."
        )
        found.append(Line(text))
    return found


def cost_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Traffic and computation."""
    server, work = server_of(record), table(table(record.get("federated")).get("client_work"))
    seconds: Any = work.get("seconds")
    memory = f", {short_bytes(work['memory'])} of memory" if work.get("memory") else ""
    client = (
        f" A client's work on a round took {1000 * seconds:.1f} ms{memory} at the most." if is_number(seconds) else ""
    )
    return [
        traffic_line(record),
        Line(
            f"It sent {short_bytes(server.get('bytes_sent') or 0)} and received "
            f"{short_bytes(server.get('bytes_received') or 0)}, computed {seconds_text(server.get('computation'))} s, "
            f"and took {short_bytes(server.get('peak_memory') or 0)} of memory.{client}"
        ),
    ]


def own_blocks(part: Mapping[str, Any]) -> list[Block]:
    """A client's own record: its models' figures, and what it gains by its own."""
    found: list[Block] = []
    if part.get("aggregation") == "plain":
        found.append(Line(PLAIN, "bold red"))
    own = table(part.get("own"))
    if own:
        gains = table(own.get("gains"))
        rows = tuple(
            (
                f"{kind} (best)" if kind == own.get("best") else str(kind),
                to_fixed(table(one).get("loss")),
                to_fixed(table(one).get("accuracy")),
                f"{gains[kind]:+.4f}" if is_number(gains.get(kind)) else MISSING,
            )
            for kind, one in table(own.get("models")).items()
        )
        title = f"Models on {count_text(own.get('rows'))} held-out rows of this client"
        found.append(Grid(title, ("model", "loss", "accuracy", "gain over all"), rows))
    if part.get("kept"):
        found.append(Line(f"The models are in {part['kept']}, in this folder."))
    work = table(part.get("client_work"))
    seconds: Any = work.get("seconds")
    if is_number(seconds):
        found.append(Line(f"Its work on a round took {1000 * seconds:.1f} ms at the most."))
    return found


def rounds_of(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rounds of a record's part."""
    return [table(one) for one in entries(part.get("rounds"))]


def personal_of(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the last round says of personal models; empty without them."""
    return next((table(one["personal"]) for one in rounds_of(part) if "personal" in one), {})


def gain_bins(one: Mapping[str, Any]) -> list[str]:
    """The bins of the gains, in words."""
    edges = [-math.inf, *entries(one.get("edges")), math.inf]
    return [
        f"below {high:g}" if low == -math.inf else f"{low:g} and more" if high == math.inf else f"{low:g} to {high:g}"
        for low, high in pairwise(edges)
    ]


def count_or_withheld(count: object) -> str:
    """A count that may be withheld."""
    return WITHHELD if count is None else count_text(count)


def share_text(count: Any, total: int) -> str:
    """A share of the clients, or that it is withheld."""
    return f"{100 * count / total:.0f} %" if is_number(count) and total else WITHHELD


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """Of the last model on all held-out rows, and of the clients' own models on them."""
    rounds = rounds_of(table(record.get("federated")))
    last: Mapping[str, Any] = rounds[-1] if rounds else {}
    auc, personal = table(table(last.get("auc")).get("1")), table(last.get("personal"))
    by = "accuracy" if personal.get("gain_in") == "accuracy" else "loss"
    own = {f"{by} {kind}": value for kind, value in table(personal.get(by)).items() if kind != "global"}
    whole = ("loss", "accuracy", "root_mean_square")
    return {name.replace("_", " "): last.get(name) for name in whole} | {"AUC": auc.get("auc")} | own


def _nothing_else(record: Mapping[str, Any]) -> str:
    if table(record.get("federated")).get("aggregation") == "plain":
        return 'Nothing protected the clients\' updates: aggregation = "plain".'
    return "No client's update was opened, nor the sum of fewer: the masks cancel in the whole sum only."


def _sections(record: Mapping[str, Any]) -> list[str]:
    from parties.tasks.federated.show.page import sections

    return sections(record)


SHOW: Final = Show(
    "The model",
    blocks,
    sections=_sections,
    status=status,
    nothing_else=_nothing_else,
    costs=True,
    figures=_figures,
)
