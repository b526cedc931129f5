"""Print text with styles and columns, and complete dataset names."""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from dshub.display import flat, harmless, is_utf8, one_line, redacted
from dshub.errors import DshubError
from dshub.settings import Settings

SCHEMA = 1  # version of `--json` output; incremented when a field changes its meaning
QUIET = "dshub.quiet"  # key in the `meta` of a click context; True suppresses notes

# control characters and lone surrogates, which `json.dumps` does not escape
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# The start of a style, random so that data cannot contain it. Other escape sequences are removed.
_MARK = f"\x1b{os.urandom(8).hex()}"
_STYLED = re.compile(rf"{_MARK}([\d;]+m)")
_COLORS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}


def echo(text: str, *, err: bool = False) -> None:
    """Print text with the styles of this module, but without other control characters."""
    # text and styles alternate in `parts`
    parts = _STYLED.split(text) if _MARK in text else [text]
    parts[::2] = map(harmless, parts[::2])
    parts[1::2] = [f"\x1b[{style}" for style in parts[1::2]]
    click.echo("".join(parts), err=err, color=False if os.environ.get("NO_COLOR") else None)


def as_text(data: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Format data as JSON, with control characters and unencodable characters escaped."""
    shown = json.dumps(data, indent=indent, ensure_ascii=not is_utf8())
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)


def note(message: str) -> None:
    """Print a message on standard error, on one line, unless `--json` is used."""
    context = click.get_current_context(silent=True)
    if context is None or not context.meta.get(QUIET):
        echo(flat(redacted(message)), err=True)


def bold(text: str) -> str:
    """Make text bold."""
    return painted(text, 1)


def dim(text: str) -> str:
    """Make text dim."""
    return painted(text, 2)


def colored(text: str, color: str) -> str:
    """Color text in red, green, yellow or cyan."""
    return painted(text, _COLORS[color])


def painted(text: str, style: int | str) -> str:
    """Apply an ISO 6429 style such as `1` or `38;5;240` to text."""
    return f"{_MARK}{style}m{flat(text)}{_MARK}0m" if text else ""


def visible_width(text: str) -> int:
    """Return the number of visible characters in text."""
    return len(_STYLED.sub("", text) if _MARK in text else text)


def lines(text: str, indent: str = "") -> str:
    """Indent each line of untrusted text, and remove control characters."""
    return "\n".join(f"{indent}{one_line(line)}" for line in text.splitlines())


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Format rows of cells as aligned columns.

    Args:
        rows: rows of cells.
        right: indices of right-aligned columns.
    """
    aligned = [_aligned(cells, right=i in right) for i, cells in enumerate(zip(*rows, strict=True))]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*aligned, strict=True))


def _aligned(cells: Sequence[str], *, right: bool) -> list[str]:
    """Pad the cells of a column to equal width."""
    pad = str.rjust if right else str.ljust
    if "".join(cells).isprintable():  # a fast path for cells without styles
        return list(map(pad, cells, repeat(max(map(len, cells)))))
    cells = [flat(cell) for cell in cells]
    column_width = max(map(visible_width, cells))
    return [pad(cell, column_width + len(cell) - visible_width(cell)) for cell in cells]


def narrowed(rows: Sequence[Sequence[str]], *, width: int) -> list[list[str]]:
    """Replace middle columns by a column of `…`, so that lines of `columns` fit a width.

    The first column stays, and so do columns from both ends as long as they fit.
    """
    widths = [max(map(visible_width, cells)) + 2 for cells in zip(*rows, strict=True)]
    if len(widths) < 3 or sum(widths) - 2 <= width:
        return [list(row) for row in rows]
    left, right, free = 1, 0, width - 1 - widths[0]
    while free >= (needed := widths[left] if left <= right else widths[-1 - right]):
        free -= needed
        left, right = (left + 1, right) if left <= right else (left, right + 1)
    end = len(widths) - right
    return [[*row[:left], "…", *row[end:]] for row in rows]


def wrapped(text: str, width: int) -> list[str]:
    """Break text into at least one line, but never inside a word, such as a path or URL."""
    import textwrap  # here, because most commands do not need it

    width = max(width, 20)
    lines = textwrap.wrap(flat(text), width, break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def fitted(text: str, width: int) -> str:
    """Truncate text to a width with an ellipsis."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def terminal_width() -> int:
    """Return the width of the terminal, or a large number outside a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def short_path(path: Path) -> str:
    """Format a path with `~` for the home folder."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except ValueError:
        return str(path)


class DatasetName(click.ParamType):
    """Parameter type for dataset names, with shell completion that does not use the network."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        # imported lazily, because these imports slow down `--help`
        from dshub.catalog.names import plain
        from dshub.hub.hub import Hub

        try:
            names = Hub(settings=Settings.read(offline=True)).names()
        except DshubError:
            return []
        start = plain(incomplete)
        return [CompletionItem(name) for name in names if plain(name).startswith(start)]
