"""`dshub list`: list datasets."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import click
import msgspec

from dshub.catalog.search import Line, Summary, natural_order
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub
from dshub.progress import size

HEAD = ("NAME", "ROWS", "DOWNLOAD", "TASK", "SUMMARY")
OPTIONAL = ("TASK", "SUMMARY")  # columns that a narrow terminal does not show
LEAST = 20  # characters of a summary; with less room it, or the column before it, is left out
MEMBERS = "{:,} datasets"  # of a family, in place of rows

Cells = tuple[str, str, str, str, str]


@click.command()
@click.argument("words", nargs=-1, metavar="")
@click.option("--all", "everything", is_flag=True, help="List family members individually.")
@click.option("--task", default="", metavar="TASK", help="Only tasks with this text in their name.")
@click.option(
    "--kind",
    type=click.Choice(["image", "text", "audio", "tabular"]),
    help="Only datasets with this tag.",
)
@click.option(
    "--license",
    "license_",
    default="",
    metavar="WORD",
    help="Only licenses with this text in their SPDX identifier; none: no stated license.",
)
@answering
def command(
    words: tuple[str, ...], everything: bool, task: str, kind: str | None, license_: str
) -> Answer:
    """List datasets.

    \b
      dshub list
      dshub list --all --kind image --license cc-by
      dshub list --task classification
      dshub list --json | jq '.datasets[].name'

    The members of a family, such as glue/cola and glue/mnli, share a line. --all and --json list
    each of them.
    """
    if words:
        hint = f"try `dshub search {' '.join(words)}`, or `dshub info`"
        raise click.UsageError(f"list takes no arguments; {hint}")
    lines = [line for line in Hub().registry.listing() if task.casefold() in line.task.casefold()]
    if kind or license_:
        lines = [line for line in lines if _passes(line.whole(), kind, license_.casefold())]
    if not lines:
        return listing((), "no dataset matches; `dshub list` without options lists all")
    return listing(lines, by_family=not everything)


def _passes(summary: Summary, kind: str | None, word: str) -> bool:
    """True if a dataset has the tag `kind`, and a license with `word`."""
    if kind and kind not in summary.tags:
        return False
    if word == "none":
        return summary.license is None
    return word in (summary.license or "").casefold()


def listing(lines: Sequence[Line], *notes: str, by_family: bool = False) -> Answer:
    """Show datasets, a line each, or a line for each family; JSON always has every dataset."""
    if click.get_current_context().meta[_screen.QUIET]:  # with --json
        return Answer({"datasets": [msgspec.to_builtins(line.whole()) for line in lines]})
    rows = _by_family(lines) if by_family else map(_cells, lines)
    return Answer({}, _text(rows) if lines else "", notes)


def _cells(line: Line) -> Cells:
    return line.name, f"{line.rows:,}", size(line.size), line.task, line.summary


def _by_family(lines: Sequence[Line]) -> Iterator[Cells]:
    """A row for each dataset, and for each family with several members.

    Members can share files, so a family has no size.
    """
    for family, group in groupby(lines, key=_family):
        members = list(group)
        if len(members) == 1:
            yield _cells(members[0])
            continue
        names = ", ".join(
            sorted((line.name.removeprefix(family) for line in members), key=natural_order)
        )
        tasks = {line.task for line in members}
        task = tasks.pop() if len(tasks) == 1 else ""
        yield f"{family}*", MEMBERS.format(len(members)), "", task, names


def _family(line: Line) -> str:
    """`glue/` of `glue/cola`; the whole name of a dataset without a family."""
    family, slash, _ = line.name.partition("/")
    return family + slash


def _text(rows: Iterable[Cells]) -> str:
    """Rows that fit the terminal, below a head."""
    columns = {name: list(cells) for name, *cells in zip(HEAD, *rows, strict=True)}
    widths = {name: max(map(len, [name, *cells])) + 2 for name, cells in columns.items()}
    for name in OPTIONAL:
        others = sum(widths[other] for other in columns if other != "SUMMARY")
        left = _screen.terminal_width() - others
        if left >= LEAST:
            columns["SUMMARY"] = [_shortened(text, left) for text in columns["SUMMARY"]]
            break
        del columns[name]
    head = list(columns)
    if sys.stdout.isatty():  # elsewhere styles would be removed again
        head = [*map(_screen.dim, head)]
        columns["NAME"] = [*map(_screen.bold, columns["NAME"])]
    return _screen.columns([head, *zip(*columns.values(), strict=True)], right=(1, 2))


def _shortened(text: str, width: int) -> str:
    """A text cut after a word, with an ellipsis where something is missing."""
    if len(text) <= width:
        return text
    beginning = text[: width - 1]
    return f"{beginning.rpartition(' ')[0] or beginning[:-1]} …"
