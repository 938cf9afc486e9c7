"""What soak and sweep add to pytest: a seeded part of the long tests, and the counts of every series at the end."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.tiers import TIERS, Tell, Tier, lines

TOLD = "told"
TESTS = "long tests"
EXAMPLES = "property tests"
HERE = Path(__file__).parent
SLOWEST_FIRST = {folder: place for place, folder in enumerate(("hosts", "soak", "run", "testing", "links"))}


def running(config: pytest.Config) -> Tier | None:
    """The tier whose files are collected; None in `make test`."""
    return next((tier for tier in TIERS if tier.files in config.getini("python_files")), None)


def of_a_series(item: pytest.Item) -> bool:
    """Whether a test is in a file that chooses its part of its cases itself."""
    return any(item.path.match(tier.files) for tier in TIERS)


@pytest.fixture
def tell(record_property: Any) -> Tell:
    """Adds to a series' line at the end."""

    def told(series: str, **counts: float) -> None:
        record_property(TOLD, [series, counts])

    return told


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the long tests that are in no series, a tier's part; none there that fails where the machine is slow.

    In `make test` the slowest folders come first, so that no worker begins a long file when the others are done.
    """
    tier = running(config)
    if tier is None:
        items.sort(key=lambda item: SLOWEST_FIRST.get(item.path.relative_to(HERE).parts[0], len(SLOWEST_FIRST)))
        return
    others = [item for item in items if item.get_closest_marker(tier.name) and not of_a_series(item)]
    steady = others if tier.part() >= 1 else [item for item in others if not item.get_closest_marker("speed")]
    left = {*others} - {*tier.chosen(TESTS, steady)} if steady else {*others}
    config.hook.pytest_deselected(items=[item for item in items if item in left])
    items[:] = [item for item in items if item not in left]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells how many examples a property test tried, and counts the long tests that are in no series."""
    report = yield
    if running(item.config) is not None and call.when == "teardown":
        said = str(vars(item).get("hypothesis_statistics", ""))
        if said:
            tried = sum(int(count) for count in re.findall(r"(\d+) passing\b", said))
            report.user_properties.append((TOLD, [EXAMPLES, {"tests": 1, "examples": tried}]))
        elif not of_a_series(item):
            report.user_properties.append((TOLD, [TESTS, {"tried": 1}]))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line a series."""
    told = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "teardown":
                told += [said for key, said in report.user_properties if key == TOLD]
    if told:
        tier = running(terminalreporter.config)
        terminalreporter.section(tier.name if tier else "told")
        for line in lines(told):  # type: ignore[arg-type]  # pytest lets a property be any object
            terminalreporter.write_line(line)
