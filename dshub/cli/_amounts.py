"""Sizes and time spans as people write them: `50GB`, `1.5 GiB`, `30d`."""

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
    """A number of bytes, in powers of 1000 (`GB`) or of 1024 (`GiB`)."""

    name = "size"
    parse = staticmethod(arguments.size)


class Span(_Amount):
    """A time span in seconds, such as `12h` or `30d`."""

    name = "span"
    parse = staticmethod(arguments.span)


def ago(moment: float) -> str:
    """The time since a moment: `3 days ago`."""
    seconds = max(time.time() - moment, 0)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def counted(count: int, word: str) -> str:
    """`1 file`, `1,234 files`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
