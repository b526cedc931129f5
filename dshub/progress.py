"""Report progress of long work as a bar, as lines, or not at all.

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


class Progress(Protocol):
    """Protocol for receivers of progress. Calls can come from several threads."""

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        """Start a task of `total` units, or None if the total is unknown."""

    def advance(self, amount: int) -> None:
        """Add `amount` to the completed units; negative if work must be repeated."""

    def finish(self) -> None:
        """Finish the task, whether it succeeded or failed."""

    def say(self, text: str) -> None:
        """Show a message during the task, such as a change of source."""


class Silent:
    """Progress that is not shown."""

    def start(self, title: str, total: int | None, unit: str = "B") -> None: ...
    def advance(self, amount: int) -> None: ...
    def finish(self) -> None: ...
    def say(self, text: str) -> None: ...


class Lines:
    """Progress as lines: one per tenth, or one per minute if the total is unknown."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self.start("", None)

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        self._title, self._unit, self._total = one_line(redacted(title)), unit, total or 0
        self._done = self._tenth = 0
        self._began = self._wrote = time.monotonic()

    def advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            tenth = self._done * 10 // self._total if self._total else 0
            quiet = time.monotonic() - self._wrote
            if (tenth > self._tenth and quiet > 1) or (not self._total and quiet > 60):
                self._tenth, self._wrote = tenth, time.monotonic()
                self._write()

    def _write(self) -> None:
        seconds = time.monotonic() - self._began
        share = f"{self._tenth * 10:3d} %  " if self._total else ""
        amount = size(self._done) if self._unit == "B" else f"{self._done:,} {self._unit}"
        print(f"{self._title}: {share}{amount} in {seconds:.1f} s", file=self._stream, flush=True)

    def finish(self) -> None: ...

    def say(self, text: str) -> None:
        with self._lock:
            print(one_line(redacted(text)), file=self._stream, flush=True)


class Bar:
    """Progress as a tqdm bar with rate and remaining time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._bar: Any = None  # a tqdm bar, untyped because importing tqdm takes 100 ms

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        with catch_warnings(action="ignore"):  # in a notebook without ipywidgets
            from tqdm.auto import tqdm

        scaled, narrow = unit == "B", _has_no_columns(self._stream)
        self._bar = tqdm(
            desc=one_line(redacted(title)),
            total=total,
            unit=unit if scaled else f" {unit}",
            unit_scale=scaled,
            file=self._stream,
            leave=False,
            dynamic_ncols=not narrow,
            ncols=80 if narrow else None,
        )

    def advance(self, amount: int) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.update(amount)

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
