"""The values of a run under a test seed as tables of its page: a table a round, a row a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from mpc.ring.array import Array
from mpc.ring.rings import Ring
from parties.show.blocks import count_text, entries, to_digits
from parties.show.html import escape, paragraph, section
from parties.trace.values import Value, amiss, first_leaving

_MOST_SHOWN: Final = 600
_WORDS: Final = 2
_NUMBERS: Final = 4
_NAMES: Final = {
    "input": "shares of the input of",
    "watch": "watched",
    "share": "shares of what is revealed in",
    "masked": "shares under a mask in",
    "opened": "opened in",
    "told": "told in",
}


def values_section(values: Sequence[Value], parties: Sequence[str], comparison: Mapping[str, Any]) -> str:
    """All values by their rounds, after what is amiss with them.

    Args:
        parties: those with values, in the order of their columns.
        comparison: the record's, of the results with the plaintext reference.
    """
    if not values:
        return ""
    found = list(amiss(values))
    head = "".join(f'<p class="alarm">{escape(text)}</p>' for text in found[:20])
    checked = sum(1 for value in values if value.wanted is not None)
    if not found:
        text = f"Nothing is amiss: no mask covers two values, and {count_text(checked)} values are their reference's."
        head = paragraph(
            text
            if checked
            else "No mask covers two values. No value is watched by a reference (see docs/trace.md, p.watch)."
        )
    head += "".join(
        paragraph(
            f"Result '{one['name']}' beside {comparison.get('reference')}, in the clear: the largest difference is "
            f"{one['difference']:.2g}."
        )
        for one in entries(comparison.get("results"))
        if one.get("difference") is not None
    )
    bad = first_leaving(values)
    shown = list(values[:_MOST_SHOWN])
    shown += [value for value in values[_MOST_SHOWN:] if value.notes or value is bad]
    left_out = len(values) - len(shown)
    rounds = [_round(number, list(group), parties, bad) for number, group in groupby(shown, lambda one: one.number)]
    return section(
        "What each party held, in clear",
        head,
        paragraph(
            "Words of a share are of the ring, the first ones, in hexadecimal; a value is what the owners' shares add "
            "up to, as real numbers. What is opened is the value under its mask: x - a, or x + a.",
            "note",
        ),
        *rounds,
        paragraph(f"{count_text(left_out)} further values are not shown." if left_out else ""),
    )


def _round(number: int, values: Sequence[Value], parties: Sequence[str], bad: Value | None) -> str:
    title = f"Round {number + 1}" + (f": {values[0].at}" if values[0].at else "")
    heads = ("value", "shape", *parties, "masks", "opened", "in clear", "reference")
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    rows = "".join(_row(value, parties, marked=value is bad) for value in values)
    return (
        f'<div class="scroll" data-round="{number}"><table class="values"><caption>{escape(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(value: Value, parties: Sequence[str], *, marked: bool) -> str:
    to = f" to {value.to}" if value.to else ""
    name = f"{_NAMES.get(value.what, value.what)} '{value.label}'{to}"
    if value.of is not None and value.of[0] >= 0:
        name += (
            f", under part {value.of[2]} of correlation {value.of[0]} ({value.of[1]}){', added' if value.added else ''}"
        )
    ring = f"{value.ring.bits} bits" if value.ring.xor else f"2^{value.ring.bits}"
    shape = f"{'×'.join(map(str, value.shape))}, scale {value.scale}, {ring}"
    masks = "; ".join(f"{party} {_hex(words, value.ring)}" for party, words in value.masks.items())
    opened = "" if value.opened is None else _hex(value.opened, value.ring)
    cells = [shape, *(_hex(value.parts[party], value.ring) if party in value.parts else "" for party in parties)]
    cells += [masks, opened, numbers_text(value.total), numbers_text(value.wanted)]
    told = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    notes = [*value.notes, *(["the first value that is not the reference's"] if marked else [])]
    note = f"<br><strong>{escape('; '.join(notes))}</strong>" if notes else ""
    kind = ' class="amiss"' if notes or value.leaves else ""
    return f'<tr{kind}><th scope="row">{escape(name)}{note}</th>{told}</tr>'


def _hex(words: Array, ring: Ring) -> str:
    digits = ring.bits // 4
    first = " ".join(f"{int(word):0{digits}x}" for word in words[:_WORDS])
    return first + (" …" if len(words) > _WORDS else "")


def numbers_text(numbers: Array | None) -> str:
    """The first of some numbers, in clear."""
    if numbers is None:
        return ""
    flat = numbers.reshape(-1)
    return ", ".join(to_digits(float(one), 6) for one in flat[:_NUMBERS]) + (" …" if len(flat) > _NUMBERS else "")
