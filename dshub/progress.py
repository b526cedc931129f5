"""Progress reporting; silent by default.

Work reports to a `Progress`, and the caller chooses what to draw: a bar on a terminal or in a
notebook, elsewhere one line per tenth, so that logs stay readable.
"""

import os
import sys
import threading
import time
from typing import Any, Literal, Protocol, Self, TextIO

from dshub.display import one_line, redacted

Style = Literal["auto", "bar", "lines", "off"]


class Progress(Protocol):
    """The calls that long work makes, possibly from several threads."""

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        """Begin work of `total` units, or None if unknown."""

    def advance(self, amount: int) -> None:
        """Count `amount` more units; negative if work must be repeated."""

    def finish(self) -> None:
        """End the work started last, successful or not."""

    def say(self, text: str) -> None:
        """Show a note in between, such as a change of source."""


class Silent:
    """Draw nothing."""

    def start(self, title: str, total: int | None, unit: str = "B") -> None: ...
    def advance(self, amount: int) -> None: ...
    def finish(self) -> None: ...
    def say(self, text: str) -> None: ...


class Lines:
    """Write a line per tenth, or per minute if the total is unknown, at most one per second."""

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
    """Draw a tqdm bar with rate and time left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._bar: Any = None  # a tqdm bar; importing tqdm takes 100 ms

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
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
    """Start work on entry and finish it on exit: `with Task(progress, "fetching", total):`."""

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
        """Count `amount` more units."""
        self._progress.advance(amount)


def choose(style: Style = "auto", stream: TextIO | None = None) -> Progress:
    """Return the progress to draw on a stream, by default standard error."""
    stream = stream if stream is not None else sys.stderr
    if style == "off":
        return Silent()
    if style == "auto":
        style = "bar" if _is_interactive(stream) else "lines"
    return Bar(stream) if style == "bar" else Lines(stream)


def _is_interactive(stream: TextIO) -> bool:
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    return terminal or "ipykernel" in sys.modules


def _has_no_columns(stream: TextIO) -> bool:
    """True if a terminal claims 0 columns, as in a recorder; tqdm would draw nothing on it."""
    try:
        return os.get_terminal_size(stream.fileno()).columns == 0
    except (OSError, ValueError):
        return False


def size(count: int | None) -> str:
    """Format bytes in powers of 1000: `26.4 MB`; `unknown` for None."""
    if count is None:
        return "unknown"
    if count < 1000:
        return f"{count} B"
    units, value = ["kB", "MB", "GB", "TB"], count / 1000
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}"
