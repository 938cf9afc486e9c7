"""What a soak adds to pytest: a seeded part of the long tests, and the counts of every sweep at the end."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from typing import Any

import pytest

from tests.examples import TIMES
from tests.soak.sweeps import Tell, chosen, lines, part

TOLD = "soak"
TESTS = "long tests"
EXAMPLES = "property tests"
SLOWEST_FIRST = {folder: place for place, folder in enumerate(("hosts", "soak", "run", "testing", "links"))}
SWEEP = "soak_"
"""How the files of sweeps begin: they choose their part of their cases themselves."""


@pytest.fixture
def tell(record_property: Any) -> Tell:
    """Adds to a sweep's line at the end."""

    def told(sweep: str, **counts: float) -> None:
        record_property(TOLD, [sweep, counts])

    return told


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the long tests that are no sweep, a soak's part; none there that fails where the machine is slow.

    In `make test` the slowest folders come first, so that no worker begins a long file when the others are done.
    """
    if TIMES not in os.environ:
        items.sort(key=lambda item: SLOWEST_FIRST.get(item.path.parent.name, len(SLOWEST_FIRST)))
        return
    others = [item for item in items if item.get_closest_marker("soak") and not item.path.name.startswith(SWEEP)]
    steady = others if part() >= 1 else [item for item in others if not item.get_closest_marker("speed")]
    left = {*others} - {*chosen(TESTS, steady)} if steady else {*others}
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = [item for item in items if item not in left]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells how many examples a property test tried, and counts the long tests that are no sweep."""
    report = yield
    if TIMES in os.environ and call.when == "teardown":
        said = str(vars(item).get("hypothesis_statistics", ""))
        if said:
            tried = sum(int(count) for count in re.findall(r"(\d+) passing\b", said))
            report.user_properties.append((TOLD, [EXAMPLES, {"tests": 1, "examples": tried}]))
        elif not item.path.name.startswith(SWEEP):
            report.user_properties.append((TOLD, [TESTS, {"tried": 1}]))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a sweep."""
    told = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "teardown":
                told += [said for key, said in report.user_properties if key == TOLD]
    if told:
        terminalreporter.section("soak")
        for line in lines(told):  # type: ignore[arg-type]  # pytest lets a property be any object
            terminalreporter.write_line(line)
