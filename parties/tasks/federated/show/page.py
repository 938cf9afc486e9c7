"""Federated learning in `report.html`: charts by round, the clients' gains, and what the server could see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from parties.show.blocks import Grid, entries, is_number, table, to_digits
from parties.show.html import bar_chart, blocks_section, escape, grid_table, paragraph, section
from parties.show.plots import Point, Series, interval_plot
from parties.tasks.federated.show.summary import (
    clients_blocks,
    cost_blocks,
    gain_bins,
    model_blocks,
    own_blocks,
    personal_blocks,
    personal_of,
    rounds_blocks,
    rounds_of,
)

_MOST_POINTS: Final = 120
_NAMES: Final[Mapping[str, str]] = {
    "loss": "loss on held-out rows",
    "accuracy": "accuracy on held-out rows",
    "root_mean_square": "root mean square error",
    "clients": "clients in the sum",
    "seconds": "seconds of a round",
}


def sections(record: Mapping[str, Any]) -> list[str]:
    """All sections of a study that succeeded, in their order."""
    part = table(record.get("federated"))
    if not part:
        return []
    if "rounds_done" in part:
        return [blocks_section("This client's part", own_blocks(part))]
    return [
        blocks_section("The model", model_blocks(part)),
        _rounds(part),
        *_personal(part),
        blocks_section("The clients", clients_blocks(part)),
        blocks_section("What it cost", cost_blocks(record)),
        _seen(part),
    ]


def _rounds(part: Mapping[str, Any]) -> str:
    """The figures by round, as charts and as a table."""
    plots = [plot for key in _NAMES if (plot := _plot(part, key))]
    grid = "".join(f"<figure>{one}</figure>" for one in plots)
    note = "The figures of a round are of the model that it began with, on rows of its clients that trained nothing."
    tables = [grid_table(one) for one in rounds_blocks(part) if isinstance(one, Grid)]
    return section(
        "Round by round",
        paragraph(note, "note"),
        f'<div class="plots">{grid}</div>',
        *tables,
    )


def _plot(part: Mapping[str, Any], key: str) -> str:
    """One figure by round; nothing where fewer than two rounds have it."""
    found = [one for one in rounds_of(part) if is_number(one.get(key)) and one.get("phase") != "scale"]
    every = -(-len(found) // _MOST_POINTS) or 1
    kept = found[::every]
    if len(kept) < 2:
        return ""
    points = tuple(Point(place, one[key], one[key], one[key]) for place, one in enumerate(kept))
    ticks = [str(one.get("round")) for one in kept]
    return interval_plot("round", _NAMES[key], ticks, [Series("", points)], lambda value: to_digits(value))


def _personal(part: Mapping[str, Any]) -> list[str]:
    """The histogram of the clients' gains, as charts and as a table."""
    one = personal_of(part)
    if not one:
        return []
    charts = "".join(_histogram(str(kind), gain_bins(one), entries(counts), one) for kind, counts in _told(one))
    return [blocks_section("Models of the clients' own", personal_blocks(part)) + charts]


def _told(one: Mapping[str, Any]) -> list[tuple[object, Any]]:
    """The kinds of models of whose gains some count is told."""
    gains = table(one.get("gains"))
    return [(kind, counts) for kind, counts in gains.items() if any(is_number(count) for count in entries(counts))]


def _histogram(kind: str, bins: Sequence[str], counts: Sequence[Any], one: Mapping[str, Any]) -> str:
    caption = f"Clients by what they gain in {one.get('gain_in')} with their model: {kind}"
    chart = bar_chart(list(zip(bins, counts, strict=True)), caption)
    return f"<figure>{chart}<figcaption>{escape(caption)}</figcaption></figure>"


def _seen(part: Mapping[str, Any]) -> str:
    """What the server could see, and what not."""
    if part.get("aggregation") == "plain":
        return section(
            "What the server could see", paragraph("Every client's own update and figures: nothing was hidden.")
        )
    one = table(part.get("intermediate_models"))
    could = (
        "It saw who took part and when, the sum of each round's vectors over the clients of that round together, and "
        f"so each round's model. In the smallest sum were {one.get('fewest_honest_clients_in_a_sum')} honest clients "
        "or more, if as many as stated worked with it."
    )
    near = (
        "Updates of this study are nearly gradients, for clients trained few steps in a round: of a single client they "
        "would give back rows. "
        if one.get("nearly_gradients")
        else ""
    )
    advice = [str(text) for text in entries(one.get("advice"))]
    return section(
        "What the server could see, and what not",
        paragraph(could),
        paragraph(
            f"It could not see any one client's update, figures or rows, nor a sum over fewer clients. {near}Everybody "
            "who gets the models of the rounds can work out the sums of updates between them."
        ),
        *([paragraph(f"What would make it less: {'; '.join(advice)}.")] if advice else []),
    )
