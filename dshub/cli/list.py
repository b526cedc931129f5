"""`dshub list`: list datasets."""

import sys
from collections.abc import Sequence

import click
import msgspec

from dshub.catalog.search import Line
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub
from dshub.progress import size

OPTIONAL = ("TASK", "SUMMARY")  # columns that a narrow terminal does not show
LEAST = 20  # characters of a summary; with less room it, or the column before it, is left out


@click.command()
@click.argument("words", nargs=-1, metavar="")
@answering
def command(words: tuple[str, ...]) -> Answer:
    """List datasets.

    \b
      dshub list
      dshub list --json | jq '.datasets[].name'
    """
    if words:
        hint = f"try `dshub search {' '.join(words)}`, or `dshub info`"
        raise click.UsageError(f"list takes no arguments; {hint}")
    return listing(Hub().registry.listing())


def listing(lines: Sequence[Line], *notes: str) -> Answer:
    """Show datasets, a line each."""
    if click.get_current_context().meta[_screen.QUIET]:  # with --json
        return Answer({"datasets": [msgspec.to_builtins(line.whole()) for line in lines]})
    return Answer({}, _text(lines) if lines else "", notes)


def _text(lines: Sequence[Line]) -> str:
    """A line for each dataset that fits the terminal."""
    columns = {
        "NAME": [line.name for line in lines],
        "ROWS": [f"{line.rows:,}" for line in lines],
        "DOWNLOAD": [size(line.size) for line in lines],
        "TASK": [line.task for line in lines],
        "SUMMARY": [line.summary for line in lines],
    }
    widths = {name: max(map(len, [name, *cells])) + 2 for name, cells in columns.items()}
    for name in OPTIONAL:
        others = sum(widths[other] for other in columns if other != "SUMMARY")
        left = _screen.terminal_width() - others
        if left >= LEAST:
            columns["SUMMARY"] = [_screen.fitted(text, left) for text in columns["SUMMARY"]]
            break
        del columns[name]
    head = list(columns)
    if sys.stdout.isatty():  # elsewhere styles would be removed again
        head = [*map(_screen.dim, head)]
        columns["NAME"] = [*map(_screen.bold, columns["NAME"])]
    return _screen.columns([head, *zip(*columns.values(), strict=True)], right=(1, 2))
