"""Telling a person how far long work has come: a few calls, silent by default.

Work reports to a `Progress`; whoever starts the work chooses what is drawn. On a terminal or in
a notebook that is a bar, elsewhere one line per tenth, so that a log stays readable.
"""

import os
import sys
import threading
import time
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TextIO

from dshub.display import one_line, redacted

Style = Literal["auto", "bar", "lines", "off"]


class Progress(Protocol):
    """What long work calls. Calls may come from several threads."""

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        """A piece of work begins: `total` units of it, or None where that is unknown."""

    def advance(self, amount: int) -> None:
        """`amount` more units are done; negative where work has to be done again."""

    def finish(self) -> None:
        """The work started last is over, whether it went well or not."""

    def say(self, text: str) -> None:
        """Something that a person may want to know meanwhile: a source that was left, a wait."""


class Silent:
    """Draws nothing."""

    def start(self, title: str, total: int | None, unit: str = "B") -> None: ...
    def advance(self, amount: int) -> None: ...
    def finish(self) -> None: ...
    def say(self, text: str) -> None: ...


class Lines:
    """Writes one line per tenth, and one a minute where the total is unknown.

    Work that is over within a second, and tenths that follow each other faster than that, are
    not worth a line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._title, self._unit, self._total, self._done, self._said = "", "B", 0, 0, 0
        self._began = self._spoke = 0.0

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        self._title, self._unit, self._total = one_line(redacted(title)), unit, total or 0
        self._done = self._said = 0
        self._began = self._spoke = time.monotonic()

    def advance(self, amount: int) -> None:
        with self._lock:
            self._done += amount
            tenth = self._done * 10 // self._total if self._total else 0
            quiet = time.monotonic() - self._spoke
            if (tenth > self._said and quiet > 1) or (not self._total and quiet > 60):
                self._said, self._spoke = tenth, time.monotonic()
                self._say()

    def _say(self) -> None:
        seconds = time.monotonic() - self._began
        share = f"{self._said * 10:3d} %  " if self._total else ""
        amount = size(self._done) if self._unit == "B" else f"{self._done:,} {self._unit}"
        print(f"{self._title}: {share}{amount} in {seconds:.1f} s", file=self._stream, flush=True)

    def finish(self) -> None: ...

    def say(self, text: str) -> None:
        with self._lock:
            print(one_line(redacted(text)), file=self._stream, flush=True)


class Bar:
    """One tqdm bar for the whole work, with rate and time left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._bar: Any = None  # a tqdm bar: tqdm costs 100 ms to import, so only where one is drawn

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        from tqdm.auto import tqdm

        scaled, flat = unit == "B", _is_flat(self._stream)
        self._bar = tqdm(
            desc=one_line(redacted(title)),
            total=total,
            unit=unit if scaled else f" {unit}",
            unit_scale=scaled,
            file=self._stream,
            leave=False,
            dynamic_ncols=not flat,
            ncols=80 if flat else None,
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
            if self._bar is not None:
                self._bar.clear()
            print(one_line(redacted(text)), file=self._stream, flush=True)
            if self._bar is not None:
                self._bar.refresh()


class Task:
    """`with Task(progress, "fetching", total):` starts, and finishes whatever happens."""

    def __init__(
        self, progress: Progress, title: str, total: int | None, *, unit: str = "B"
    ) -> None:
        self._progress, self._title, self._total, self._unit = progress, title, total, unit

    def __enter__(self) -> Self:
        self._progress.start(self._title, self._total, self._unit)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.finish()

    def advance(self, amount: int) -> None:
        """`amount` more units are done."""
        self._progress.advance(amount)


def choose(style: Style = "auto", stream: TextIO | None = None) -> Progress:
    """The progress to draw on a stream (standard error by default) in a style."""
    stream = stream if stream is not None else sys.stderr
    if style == "off":
        return Silent()
    if style == "auto":
        style = "bar" if _is_watched(stream) else "lines"
    return Bar(stream) if style == "bar" else Lines(stream)


def _is_watched(stream: TextIO) -> bool:
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    return terminal or "ipykernel" in sys.modules


def _is_flat(stream: TextIO) -> bool:
    """Whether a terminal says that it has no columns, as under a recorder: tqdm draws nothing."""
    try:
        return os.get_terminal_size(stream.fileno()).columns == 0
    except (OSError, ValueError):
        return False


def size(count: int | None) -> str:
    """A number of bytes for a person, in powers of 1000: `26.4 MB`; `unknown` for None."""
    if count is None:
        return "unknown"
    if count < 1000:
        return f"{count} B"
    units, value = ["kB", "MB", "GB", "TB"], count / 1000
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}"
