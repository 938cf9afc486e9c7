"""The HTML report: whole, self-contained, escaped, and true to the record."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import DataError, UsageError
from parties.base.record_files import REPORT
from parties.report.page import report_html, write_report
from parties.report.record import failed_record
from parties.tasks.logistic.page import CHART_BARS
from tests.parties.report.test_summary import real_record

VOID = {"meta", "rect", "line"}


class Page(HTMLParser):
    """Checks that every element is closed in its order, and keeps the elements and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.tables: list[list[list[str]]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if self.open[-1:] in (["td"], ["th"]):
            self.tables[-1][-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def rows_of(page: Page, first: str) -> list[list[str]]:
    """The table whose first head is `first`."""
    return next(rows for rows in page.tables if rows[0][0] == first)


def test_it_says_what_the_record_says(tmp_path: Path) -> None:
    record = real_record()
    path = write_report(record, tmp_path)
    assert path == tmp_path / REPORT
    assert [entry.name for entry in tmp_path.iterdir()] == [REPORT]
    page = Page(path.read_text(encoding="utf-8"))

    model = record["model"]
    weights = rows_of(page, "feature")[1:]
    assert {row[0]: row[2] for row in weights} == {
        name: f"{w:#.4g}" for name, w in zip(model["features"], model["standardised_weights"], strict=True)
    }
    assert len(page.named("rect")) == len(model["features"])
    negative = [w for w in model["standardised_weights"] if w < 0]
    assert sum(bar["class"] == "minus" for bar in page.named("rect")) == len(negative)

    quality = [rows for rows in page.tables if rows[0][:2] == ["trained", "rows"]]
    assert [rows[3][1] for rows in quality] == [str(record["metrics"][which]["rows"]) for which in ("test", "train")]
    assert quality[0][3][3] == f"{record['metrics']['test']['auc']:.4f}"
    counts = record["metrics"]["test"]["confusion"]
    held_out, training = [rows for rows in page.tables if rows[0] == ["", "model says 1", "model says 0"]]
    assert held_out[1][1:] == [str(counts["true_positives"]), str(counts["false_negatives"])]
    assert held_out[2][1:] == [str(counts["false_positives"]), str(counts["true_negatives"])]
    assert training != held_out
    rates = next(rows for rows in page.tables if rows[0][1] == "sensitivity")
    sensitivity = counts["true_positives"] / (counts["true_positives"] + counts["false_negatives"])
    assert rates[3][1] == f"{sensitivity:.3f}"

    assert [row[0] for row in rows_of(page, "party")[1:]] == ["owner0", "owner1", "helper"]
    assert {row[0]: row[1] for row in rows_of(page, "kind")[1:]} == {
        kind: f"{row['count']:,}" for kind, row in record["plan"]["correlations"].items()
    }
    shown = ", ".join(row[0] for row in rows_of(page, "what")[1:])
    assert shown == ", ".join(item["what"] for item in record["revealed"])
    assert "were as planned, exactly" in page.text
    assert record["plan"]["digest"] in page.text
    assert "WARNING" not in page.text


def test_it_needs_nothing_from_elsewhere() -> None:
    html = report_html(real_record())
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "base", "a"})
    assert not re.search(r"https?:|//|@import|url\(", html.split("<body>")[0].replace("<!DOCTYPE html>", ""))
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on") or a in ("src", "href")]
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    policy = next(m for m in page.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_every_text_of_the_record_is_escaped() -> None:
    evil = "<script>alert(1)</script>\"'&<b onclick=x>{style}"
    html = report_html(_poisoned(real_record(), evil))
    assert "<script" not in html
    assert "<b " not in html
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "b"})
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    assert evil in page.text
    failed = failed_record(DataError(evil, evil, party=evil), scenario_name=evil, scenario_digest=evil)
    assert "<script" not in report_html({**failed, "testing": {evil: {}}})


def _poisoned(value: Any, evil: str, key: str = "") -> Any:
    """The record with `evil` in the place of every text but those that it is read by, and in every party's name."""
    if isinstance(value, dict):
        named = key in ("parties", "alone", "bytes", "correlations")
        return {(evil + name if named else name): _poisoned(inner, evil, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_poisoned(inner, evil, key) for inner in value]
    return evil if isinstance(value, str) and key not in ("status", "role") else value


def test_no_text_of_the_record_changes_how_others_are_shown() -> None:
    record = real_record()
    record["scenario"]["name"] = "\u202etnemirepxe\x1b]0;x\x07"
    record["model"]["features"] = ["a\u2028b\nc"]
    record["parties"] = {f"{name}\u2066": entry for name, entry in record["parties"].items()}
    html = report_html(record)
    assert all(letter.isprintable() or letter == "\n" for letter in html)
    assert r"\u202etnemirepxe\x1b]0;x\x07" in html


def test_a_failed_run_says_what_to_do(tmp_path: Path) -> None:
    error = DataError("hospital_a: column age is empty", "fill it in", party="hospital_a")
    page = Page(write_report(failed_record(error, scenario_name="demo"), tmp_path).read_text(encoding="utf-8"))
    assert "FAILED. hospital_a: column age is empty" in page.text
    assert "What to do: fill it in" in page.text
    assert "No result was kept" in page.text
    assert page.tables == []


def test_a_test_seed_is_at_the_top() -> None:
    record = real_record()
    record["testing"] = {"owner0": {"insecure_seed": 1}}
    page = Page(report_html(record))
    assert page.text.index("THIS RUN PROTECTED NOTHING") < page.text.index("done. 2 owners".capitalize())
    assert [p for p in page.named("p") if p.get("role") == "alert"]


def test_a_bare_record_is_no_traceback() -> None:
    record = real_record()
    record["metrics"]["test"]["auc"] = None
    record["metrics"]["train"]["confusion"] = {"true_positives": 0, "false_negatives": 0}
    record["model"]["weights"][1] = None
    Page(report_html(record))
    del record["comparison"]
    assert "alone" not in Page(report_html(record)).text.split("The model")[0].replace("leaves alone", "")
    assert "metrics were not asked for" in Page(report_html({**record, "metrics": None})).text
    for bare in ({}, {"status": "ok"}, {"status": "ok", "parties": {"a": None}, "model": {"features": ["x"]}}):
        Page(report_html(bare))


def test_all_weights_are_in_the_table_the_largest_in_the_chart() -> None:
    record = real_record()
    count = CHART_BARS + 10
    record["model"] |= {
        "features": [f"f{k}" for k in range(count)],
        "weights": [1.0] * count,
        "standardised_weights": [float(k) for k in range(count)],
    }
    page = Page(report_html(record))
    assert len(page.named("rect")) == CHART_BARS
    assert [row[0] for row in rows_of(page, "feature")[1:]] == [f"f{k}" for k in reversed(range(count))]
    lengths = [float(bar["width"] or 0) for bar in page.named("rect")]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[1] / lengths[0] == pytest.approx((count - 2) / (count - 1), rel=1e-2)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"report\.html cannot be written: No such"):
        write_report(real_record(), tmp_path / "absent")


def test_an_earlier_report_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(real_record(), tmp_path)
    before = (tmp_path / REPORT).read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(UsageError, match="No space left"):
        write_report({}, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [REPORT]
    assert (tmp_path / REPORT).read_bytes() == before
