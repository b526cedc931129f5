"""Report the progress of long tasks as a bar, as lines, or not at all.

By default, terminals and notebooks show a bar. Other streams get one line per tenth, so that logs
stay readable.
"""

import os
import sys
import threading
import time
from typing import Any, Literal, Protocol, Self, TextIO
from warnings import catch_warnings

from dshub.display import in_notebook, one_line, redacted

Style = Literal["auto", "bar", "lines", "off"]

_FORMAT = "{desc} {percentage:3.0f}% {bar} {n_fmt}/{total_fmt} {rate_fmt} {remaining}"
_NUMBERS = 42  # characters of a bar without its description


class Progress(Protocol):
    """Protocol for receivers of progress. Calls can come from several threads."""

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        """Start a task of `total` units; None if their number is unknown."""

    def advance(self, amount: int) -> None:
        """Add `amount` to the completed units; negative if work must be repeated."""

    def skip(self, amount: int) -> None:
        """Add units that an earlier run completed; they do not count towards the speed."""

    def show(self, text: str) -> None:
        """Describe the current step, such as the file and its source, instead of the title."""

    def finish(self) -> None:
        """Finish the task, whether it succeeded or failed."""

    def say(self, text: str) -> None:
        """Show a message during the task, such as a change of source."""


class Silent:
    """Progress that is not shown."""

    def start(self, title: str, total: int | None, unit: str = "B") -> None: ...
    def advance(self, amount: int) -> None: ...

    def skip(self, amount: int) -> None:
        self.advance(amount)  # subclasses that count units count these, too

    def show(self, text: str) -> None: ...
    def finish(self) -> None: ...
    def say(self, text: str) -> None: ...


class Lines:
    """Progress as lines: one per tenth, or one per minute if the total is unknown."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self.start("", None)

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        self._title, self._unit, self._total = one_line(redacted(title)), unit, total or 0
        self._done = self._tenth = self._skipped = 0
        self._step = ""
        self._began = self._wrote = time.monotonic()

    def advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            tenth = self._done * 10 // self._total if self._total else 0
            quiet = time.monotonic() - self._wrote
            if (tenth > self._tenth and quiet > 1) or (not self._total and quiet > 60):
                self._tenth, self._wrote = tenth, time.monotonic()
                self._write()

    def skip(self, amount: int) -> None:
        with self._lock:
            self._skipped += amount
            self._done += amount

    def show(self, text: str) -> None:
        self._step = f", {one_line(redacted(text))}"

    def _write(self) -> None:
        rate = (self._done - self._skipped) / max(time.monotonic() - self._began, 0.001)
        share = f"{self._tenth * 10:3d} %  " if self._total else ""
        speed = f"{self._amount(self._done)}, {self._amount(max(int(rate), 0))}/s"
        print(f"{self._title}: {share}{speed}{self._step}", file=self._stream, flush=True)

    def _amount(self, count: int) -> str:
        return size(count) if self._unit == "B" else f"{count:,} {self._unit}"

    def finish(self) -> None: ...

    def say(self, text: str) -> None:
        with self._lock:
            print(one_line(redacted(text)), file=self._stream, flush=True)


class Bar:
    """Progress as a tqdm bar of one line, with rate and remaining time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._bar: Any = None  # a tqdm bar, untyped because importing tqdm takes 100 ms

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        with catch_warnings(action="ignore"):  # tqdm warns in notebooks without ipywidgets
            from tqdm.auto import tqdm

        narrow = _has_no_columns(self._stream)
        self._bar = tqdm(
            desc=self._described(title),
            total=total,
            unit=unit if unit == "B" else f" {unit}",
            unit_scale=True,
            bar_format=_FORMAT if total else None,
            file=self._stream,
            leave=False,
            dynamic_ncols=not narrow,
            ncols=80 if narrow else None,
        )

    def _described(self, text: str) -> str:
        """Return a description that leaves room for the numbers and a short bar."""
        text, room = one_line(redacted(text)), max(_columns(self._stream) - _NUMBERS, 10)
        return text if len(text) <= room else f"{text[: room - 1]}…"

    def advance(self, amount: int) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.update(amount)

    def skip(self, amount: int) -> None:
        with self._lock:
            if self._bar is not None:  # tqdm computes the speed from these three
                self._bar.initial += amount
                self._bar.last_print_n += amount
                self._bar.n += amount

    def show(self, text: str) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.set_description_str(self._described(text))

    def finish(self) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.close()
                self._bar = None

    def say(self, text: str) -> None:
        with self._lock:
            write = self._bar.write if self._bar is not None else print
            write(one_line(redacted(text)), file=self._stream)


class Task:
    """Context manager for a task: `with Task(progress, "fetching", total) as task:`."""

    def __init__(
        self, progress: Progress, title: str, total: int | None, *, unit: str = "B"
    ) -> None:
        self._progress, self._title, self._total, self._unit = progress, title, total, unit

    def __enter__(self) -> Self:
        self._progress.start(self._title, self._total, self._unit)
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.finish()

    def advance(self, amount: int) -> None:
        """Add `amount` to the completed units."""
        self._progress.advance(amount)

    def skip(self, amount: int) -> None:
        """Add units that an earlier run completed; they do not count towards the speed."""
        self._progress.skip(amount)


def choose(style: Style = "auto", stream: TextIO | None = None) -> Progress:
    """Return a progress display in the requested style.

    Args:
        style: `auto` selects a bar for terminals and notebooks, and lines for other streams.
        stream: stream to draw on; standard error by default.
    """
    stream = stream if stream is not None else sys.stderr
    if style == "off":
        return Silent()
    if style == "auto":
        style = "bar" if _is_interactive(stream) else "lines"
    return Bar(stream) if style == "bar" else Lines(stream)


def _is_interactive(stream: TextIO) -> bool:
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    return terminal or in_notebook()


def _has_no_columns(stream: TextIO) -> bool:
    """Return True if a terminal reports 0 columns, where tqdm would not draw anything."""
    try:
        return os.get_terminal_size(stream.fileno()).columns == 0
    except (OSError, ValueError):
        return False


def _columns(stream: TextIO) -> int:
    """Return the width of a terminal, or 80 if it is unknown."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def size(count: int | None) -> str:
    """Format a number of bytes in powers of 1000, such as `26.4 MB`, or `unknown` for None."""
    if count is None:
        return "unknown"
    if count < 1000:
        return f"{count} B"
    units, value = ["kB", "MB", "GB", "TB"], count / 1000
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}"
