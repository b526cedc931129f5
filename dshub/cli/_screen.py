"""Text for terminals, styles and columns, and the type of dataset names."""

import codecs
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

from dshub.display import flat, harmless, one_line, redacted
from dshub.errors import DshubError
from dshub.settings import Settings

SCHEMA = 1  # of every --json answer; raised when a field changes its meaning
QUIET = "dshub.quiet"  # in a context's `meta`: whether remarks are left out

# what JSON leaves alone: characters that `harmless` removes, and bytes of names that are not text
_ESCAPED = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

# Begins a style. Data cannot contain it, so that every other escape in a text is theirs, not ours.
_MARK = f"\x1b{os.urandom(8).hex()}"
_STYLED = re.compile(rf"{_MARK}([\d;]+m)")
_COLORS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}


def echo(text: str, *, err: bool = False) -> None:
    """Print text with the styles of this module; data in it cannot command the terminal."""
    parts = _STYLED.split(text) if _MARK in text else [text]  # text and styles in turn
    parts[::2] = map(harmless, parts[::2])
    parts[1::2] = [f"\x1b[{style}" for style in parts[1::2]]
    click.echo("".join(parts), err=err, color=False if os.environ.get("NO_COLOR") else None)


def as_text(data: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Data as JSON. Terminal commands and characters that cannot be encoded are escaped."""
    shown = json.dumps(data, indent=indent, ensure_ascii=not is_utf8())
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)


def is_utf8() -> bool:
    """True if standard output can encode every character."""
    return codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"


def note(message: str) -> None:
    """Print a remark for a person on standard error, on one line; none with `--json`."""
    context = click.get_current_context(silent=True)
    if context is None or not context.meta.get(QUIET):
        echo(flat(redacted(message)), err=True)


def bold(text: str) -> str:
    """Bold, on a terminal."""
    return painted(text, 1)


def dim(text: str) -> str:
    """Dimmed, on a terminal."""
    return painted(text, 2)


def colored(text: str, color: str) -> str:
    """Red, green, yellow or cyan, on a terminal."""
    return painted(text, _COLORS[color])


def painted(text: str, style: int | str) -> str:
    """In a style of ISO 6429, such as `1` or `38;5;240`."""
    return f"{_MARK}{style}m{flat(text)}{_MARK}0m" if text else ""


def width(text: str) -> int:
    """Characters of a text that are seen."""
    return len(_STYLED.sub("", text) if _MARK in text else text)


def lines(text: str, indent: str = "") -> str:
    """Text of several lines, indented so that they differ from lines of dshub."""
    return "\n".join(f"{indent}{one_line(line)}" for line in text.splitlines())


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Rows of cells in aligned columns; those in `right` are aligned to the right."""
    aligned = [_aligned(cells, right=i in right) for i, cells in enumerate(zip(*rows, strict=True))]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*aligned, strict=True))


def _aligned(cells: Sequence[str], *, right: bool) -> list[str]:
    """Cells of one column, padded to the same width."""
    pad = str.rjust if right else str.ljust
    if "".join(cells).isprintable():  # one look at all is faster than a look at each
        return list(map(pad, cells, repeat(max(map(len, cells)))))
    cells = [flat(cell) for cell in cells]
    most = max(map(width, cells))
    return [pad(cell, most + len(cell) - width(cell)) for cell in cells]


def fitted(text: str, width: int) -> str:
    """A text cut to a width, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def terminal_width() -> int:
    """Columns of the terminal; without one, wide enough to cut nothing."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def short_path(path: Path) -> str:
    """A path with the home folder as `~`."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except ValueError:
        return str(path)


class DatasetName(click.ParamType):
    """A dataset, with completion from what is on this machine."""

    name = "name"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from dshub.hub.hub import Hub  # which `dshub --help` does not need

        try:
            names = Hub(settings=Settings.read(offline=True)).names()
        except DshubError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
