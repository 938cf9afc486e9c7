"""The files in a run's folder that a command names, and the schema of its record."""

from __future__ import annotations

from typing import Final

RESULT: Final = "result.json"
REPORT: Final = "report.html"

SCHEMA: Final = 2
"""The schema of `result.json`. Since 2 it has the `kind` of task. Records of schema 1 are still read."""
