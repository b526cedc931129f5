"""`dshub list`: list datasets."""

from collections.abc import Sequence

import click

from dshub.catalog.search import Summary
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub
from dshub.progress import size

NARROWEST = 3  # columns that are always shown: name, rows, download
SUMMARY = 20  # characters: a summary with less room, or the column before it, is left out


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


def listing(summaries: Sequence[Summary], *notes: str) -> Answer:
    """Some datasets, a line each."""
    plain = [
        {name: getattr(item, name) for name in Summary.__struct_fields__} for item in summaries
    ]
    return Answer({"datasets": plain}, _text(summaries) if summaries else "", notes)


def _text(summaries: Sequence[Summary]) -> str:
    """A line each that fits the terminal: a narrow one gets no task, or no summary either."""
    rows = [["NAME", "ROWS", "DOWNLOAD", "TASK", "SUMMARY"]]
    for item in summaries:
        total = sum(item.rows.values())
        summary = " ".join(item.summary.split())
        rows.append([item.name, f"{total:,}", size(item.size), item.task, summary])
    widths = [max(map(len, cells)) + 2 for cells in zip(*rows, strict=True)]
    while len(widths) > NARROWEST and _screen.terminal_width() - sum(widths[:-1]) < SUMMARY:
        dropped = 3 if len(widths) > NARROWEST + 1 else -1
        del widths[dropped]
        for row in rows:
            del row[dropped]
    left = _screen.terminal_width() - sum(widths[:-1])
    head, *lines = rows
    cut = len(widths) > NARROWEST  # the summary is last
    shown = [[_screen.bold(name), *row] for name, *row in lines]
    for row in shown:
        row[-1] = _screen.fitted(row[-1], left) if cut else row[-1]
    return _screen.columns([[*map(_screen.dim, head)], *shown], right=(1, 2))
