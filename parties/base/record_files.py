"""The files in a run's folder that a command names, and the schema of its record."""

from __future__ import annotations

from typing import Final

RESULT: Final = "result.json"
REPORT: Final = "report.html"

SCHEMA: Final = 2
"""Of `result.json`: since 2 it says of which `kind` of task it is. Records of schema 1 are still read."""
