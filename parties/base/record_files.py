"""The files in a run's folder that a command names."""

from __future__ import annotations

from typing import Final

RESULT: Final = "result.json"
REPORT: Final = "report.html"
