"""A party's log: one line a record, whatever a column or a peer is called."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from parties.base.logs import LogFormat, open_log

FORGED = "x\n2027-01-01 00:00:00,000 INFO approved\u2028\x1b[2J"


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    log = logging.getLogger("beaverlodge.hospital_a")
    for handler in list(log.handlers):
        handler.close()
        log.removeHandler(handler)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_record_is_one_line(tmp_path: Path, form: LogFormat) -> None:
    open_log(tmp_path, "hospital_a", form).info("columns that are not used: %s", FORGED)
    text = (tmp_path / "hospital_a.log").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 1
    said = json.loads(text)["text"] if form == "json" else text.rstrip("\n")
    assert said.isprintable() and said.endswith(r"x\n2027-01-01 00:00:00,000 INFO approved\u2028\x1b[2J")
