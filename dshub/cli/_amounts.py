"""Parse and format sizes, durations and counts."""

import time
from collections.abc import Callable
from typing import Any

import click

from dshub import _validate as arguments
from dshub.errors import ArgumentError


class _Amount(click.ParamType):
    parse: Callable[[str, str], float]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.parse(self.name, str(value))
        except ArgumentError as error:
            self.fail(f"{value!r} is not {error.expected}", param, ctx)


class Size(_Amount):
    """Parameter type for a number of bytes, such as `50GB` (1000³) or `1.5 GiB` (1024³)."""

    name = "size"
    parse = staticmethod(arguments.size)


class Span(_Amount):
    """Parameter type for a duration such as `12h` or `30d`, converted to seconds."""

    name = "span"
    parse = staticmethod(arguments.span)


def ago(moment: float) -> str:
    """Return the time since a Unix timestamp as text, such as `3 days ago`."""
    seconds = max(time.time() - moment, 0)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def counted(count: int, word: str) -> str:
    """Format a count with a noun, as in `1 file` and `1,234 files`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
