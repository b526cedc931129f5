import os
import select

import pytest

from dshub.progress import Task, choose

pytest.importorskip("pty", reason="no pseudo-terminals here")


def test_terminal_without_a_width_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream, Task(choose("auto", stream), "fetching", 10) as task:
        task.advance(5)
        readable, _, _ = select.select([ours], [], [], 10)
        shown = os.read(ours, 4096).decode() if readable else ""
    os.close(ours)
    assert "fetching" in shown
