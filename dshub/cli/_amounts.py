"""Sizes and spans of time as people write them: `50GB`, `1.5 GiB`, `30d`."""

import re
import time
from typing import Any

import click

_BYTES = {"": 1, "b": 1} | {
    f"{letter}{end}": base**power
    for power, letter in enumerate("kmgtp", start=1)
    for end, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}


class Size(click.ParamType):
    """A number of bytes, in powers of 1000 (`GB`) or of 1024 (`GiB`)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        return int(_amount(self, value, _BYTES, "a size such as 500MB, 1.5GB or 2TiB"))


class Span(click.ParamType):
    """A span of time in hours, days or weeks."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds."""
        return _amount(self, value, _SECONDS, "a span of time such as 12h, 30d or 4w")


def _amount(kind: click.ParamType, value: Any, units: dict[str, int], expected: str) -> float:
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([a-z]*)", str(value).strip().lower())
    if match is None or match[2] not in units:
        kind.fail(f"{value!r} is not {expected}")
    return float(match[1]) * units[match[2]]


def ago(moment: float) -> str:
    """How long a moment is past: `3 days ago`."""
    seconds = max(time.time() - moment, 0)
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit} ago"
    return "just now"


def things(count: int) -> str:
    """`1 thing`, `3 things`."""
    return counted(count, "thing")


def counted(count: int, word: str) -> str:
    """`1 file`, `1,234 files`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
