"""The sentences of what is shown, without its tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from parties.report.summary import summary_blocks
from parties.show.blocks import Block, Line


def sentences(blocks: Iterable[Block]) -> str:
    """All lines, one after another."""
    return " ".join(block.text for block in blocks if isinstance(block, Line))


def summary_text(record: Mapping[str, Any]) -> str:
    """Those of a record's summary."""
    return sentences(summary_blocks(record, Path("out")))
