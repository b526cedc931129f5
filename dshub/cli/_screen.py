"""What commands share: answers for people and for programs, and the names they are called with."""

import codecs
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dshub.errors import DshubError
from dshub.progress import harmless

SCHEMA = 1  # of every --json answer; raised when a field changes its meaning

# besides what JSON escapes itself: what `harmless` takes out, and bytes of names that are no text
_ESCAPED = re.compile(r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


def answer(as_json: bool, data: Mapping[str, Any], text: Callable[[], str]) -> None:
    """Print data as JSON, or as the text that `text` makes of it."""
    if as_json:
        click.echo(as_text({"schema": SCHEMA, **data}, indent=1))
    else:
        shown = harmless(text())
        if shown:
            click.echo(shown, color=False if os.environ.get("NO_COLOR") else None)


def as_text(data: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Data as JSON. What would command a terminal, or cannot be written to it, is escaped."""
    is_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    shown = json.dumps(data, indent=indent, ensure_ascii=not is_utf8)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)


def note(message: str) -> None:
    """Tell a person something that is not the answer."""
    click.echo(harmless(message), err=True)


def bold(text: str) -> str:
    """Emphasised where the terminal can."""
    return click.style(text, bold=True)


def dim(text: str) -> str:
    """Less important."""
    return click.style(text, dim=True) if text else ""


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Rows of cells in aligned columns; those in `right` are aligned to the right."""
    widths = [max(len(click.unstyle(cell)) for cell in cells) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            " " * (width - len(click.unstyle(cell))) + cell
            if i in right
            else cell + " " * (width - len(click.unstyle(cell)))
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def fitted(text: str, width: int) -> str:
    """A text cut to a width, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def terminal_width() -> int:
    """Columns of the terminal; without one, wide enough to cut nothing."""
    import shutil

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
    ) -> list[Any]:
        from click.shell_completion import CompletionItem

        from dshub.hub import Hub
        from dshub.settings import Settings

        try:
            names = Hub(settings=Settings.read(offline=True)).names()
        except DshubError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
