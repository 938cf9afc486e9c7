"""A party's log: one file a party in the run's folder. It names stages, peers and columns, never a value."""

from __future__ import annotations

import logging
from pathlib import Path


def open_log(folder: Path, party: str) -> logging.Logger:
    """The logger that appends to FOLDER/PARTY.log."""
    log = logging.getLogger(f"beaverlodge.{party}")
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = logging.FileHandler(folder / f"{party}.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    return log
