import io
import os
import re
import select
import sys
import time

import pytest

from dshub.progress import Bar, Lines, Silent, Task, choose

needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals here")


@needs_terminal
def test_terminal_without_a_width_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream, Task(choose("auto", stream), "fetching", 10) as task:
        task.advance(5)
        readable, _, _ = select.select([ours], [], [], 10)
        shown = os.read(ours, 4096).decode() if readable else ""
    os.close(ours)
    assert "fetching" in shown


@needs_terminal
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_bar_is_one_line_with_step_amount_and_speed(columns: int) -> None:
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(theirs, "w") as stream:
        bar = Bar(stream)
        bar.start("fetching", 10_000_000)
        bar.skip(8_000_000)
        bar.show("1/4 train-images from data.example")
        for _ in range(4):
            time.sleep(0.15)
            bar.advance(100_000)
        shown = os.read(ours, 1 << 16).decode()
        bar.finish()
    os.close(ours)
    frames = [frame for frame in re.split(r"[\r\n]|\x1b\[\w", shown) if frame.strip()]
    assert max(map(len, frames)) <= columns
    assert frames[-1].startswith("1/4 train-images"[: max(columns - 43, 9)])
    assert re.search(r" 8[1-4]% .* 8\.\d\dM/10\.0M ", frames[-1])
    rates = [float(rate) for rate in re.findall(r" (\d+)kB/s", shown)]
    assert rates
    assert max(rates) < 2000  # kB/s, without the 8 MB of an earlier run


def test_lines_show_the_step_and_the_speed_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, clock = io.StringIO(), iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    lines = Lines(stream)
    lines.start("fetching", 10_000_000)
    lines.skip(8_000_000)
    lines.show("1/4 train-images from data.example")
    for _ in range(4):
        lines.advance(250_000)
    assert re.search(
        r"fetching:  80 %  8\.\d MB, \d+\.\d kB/s, 1/4 train-images from data.example\n",
        stream.getvalue(),
    )


def test_skipped_units_count_for_listeners_that_add_up_units() -> None:
    class Counting(Silent):
        done = 0

        def advance(self, amount: int) -> None:
            self.done += amount

    counting = Counting()
    with Task(counting, "saving", 10) as task:
        task.skip(4)
        task.advance(6)
    assert counting.done == 10
