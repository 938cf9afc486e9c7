"""What a user sees of a run while it goes on."""

from __future__ import annotations

import io

import pytest

from parties.processes.progress import Progress


class Closed(io.StringIO):
    """A stream that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def stage(stage: str, done: int | None = None, total: int | None = None) -> dict[str, object]:
    return {"event": "stage", "stage": stage, "done": done, "total": total}


def test_plain_lines_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    stream, now = io.StringIO(), [0.0]
    with Progress(["a", "b"], stream=stream, clock=lambda: now[0]) as progress:
        progress("a", {"event": "started", "pid": 1})
        progress("a", {"event": "listening", "endpoint": "tcp://x"})
        for step in range(30):
            now[0] = step / 10
            progress("a", stage("training", step, 30))
            if step == 1:
                progress("b", stage("dealing"))
        progress("a", stage("evaluation", 0, 0))
        progress("a", {"event": "log", "level": "warning", "text": "two\nlines \x1b[31m"})
        progress("a", {"event": "done", "result": {}})
    assert stream.getvalue().splitlines() == [
        "a: training 0/30",
        "b: dealing",
        "a: training 10/30",
        "a: training 20/30",
        "a: evaluation",
        "a: two\\nlines \\x1b[31m",
        "a: done",
    ]
    assert capsys.readouterr() == ("", "")


def test_bars_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    with Progress(["hospital_a", "b"], stream=stream, terminal=True) as progress:
        progress("b", {"event": "log", "level": "info", "text": "early"})
        progress("b", {"event": "started", "pid": 1})
        assert "starting" in stream.getvalue()
        for step in range(100):
            progress("hospital_a", stage("training", step, 100))
        progress("b", {"event": "log", "level": "info", "text": "[bold]as it is[/bold]"})
        progress("hospital_a", {"event": "done", "result": {}})
    shown = stream.getvalue()
    assert shown.startswith("b: early\n")
    assert "hospital_a" in shown
    assert "training" in shown
    assert "b: [bold]as it is[/bold]" in shown
    # The cursor that was hidden is shown again.
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert shown.count("training") < 50
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_stream_that_breaks_does_not_break_the_run(terminal: bool) -> None:
    with Progress(["a"], stream=Closed(), terminal=terminal) as progress:
        progress("a", stage("training", 1, 2))
        progress("a", {"event": "log", "level": "info", "text": "x"})
