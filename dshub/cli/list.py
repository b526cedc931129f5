"""Command `dshub list`: list datasets."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import click
import msgspec

from dshub.catalog.names import natural_order, plain
from dshub.catalog.search import Line, Summary
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.hub.hub import Hub
from dshub.progress import size

HEAD = ("NAME", "ROWS", "DOWNLOAD", "TASK", "SUMMARY")
OPTIONAL = ("TASK", "SUMMARY")  # columns to drop on a narrow terminal, in this order
MIN_SUMMARY = 20  # minimum width of a summary, in characters
MEMBERS = "{:,} datasets"  # shown for families instead of a row count

Cells = tuple[str, str, str, str, str]


@click.command()
@click.argument("words", nargs=-1, metavar="")
@click.option("--all", "everything", is_flag=True, help="List family members individually.")
@click.option("--task", default="", metavar="TEXT", help="List only tasks with TEXT in their name.")
@click.option(
    "--kind",
    type=click.Choice(["image", "text", "audio", "tabular"], case_sensitive=False),
    help="List only datasets with this tag.",
)
@click.option(
    "--license",
    "license_",
    default="",
    metavar="WORD",
    help="List only licenses with WORD in their SPDX identifier, or 'none' for no stated license.",
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

    A family of datasets, such as glue/cola and glue/mnli, is listed on one line. --all and --json
    list every dataset.
    """
    if words:
        query = " ".join(words)
        raise click.UsageError(f"list does not take arguments; run `dshub search {query}`")
    lines = Hub().registry.listing()
    if task:
        lines = [line for line in lines if plain(task) in plain(line.task)]
    if kind or license_:
        lines = [line for line in lines if _passes(line.whole(), kind, license_.casefold())]
    if not lines:
        return listing((), "no dataset matches; run `dshub list` without options to list all")
    return listing(lines, by_family=not everything)


def _passes(summary: Summary, kind: str | None, word: str) -> bool:
    """Return True if a dataset has the tag `kind` and a license that contains `word`."""
    if kind and kind not in summary.tags:
        return False
    if word == "none":
        return summary.license is None
    return word in (summary.license or "").casefold()


def listing(lines: Sequence[Line], *notes: str, by_family: bool = False) -> Answer:
    """Return an answer with a line per dataset, or per family if `by_family`.

    The JSON output contains every dataset in both cases.
    """
    if click.get_current_context().meta[_screen.QUIET]:  # with --json
        return Answer({"datasets": [msgspec.to_builtins(line.whole()) for line in lines]})
    rows = _by_family(lines) if by_family else map(_cells, lines)
    return Answer({}, _text(rows) if lines else "", notes)


def _cells(line: Line) -> Cells:
    return line.name, f"{line.rows:,}", size(line.size), line.task, line.summary


def _by_family(lines: Sequence[Line]) -> Iterator[Cells]:
    """Yield a row for each family, or for a dataset without family.

    Families have no download size, because members can share files.
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
    """Return the family of a dataset with a slash (`glue/`), or its name if it has no family."""
    family, slash, _ = line.name.partition("/")
    return family + slash


def _text(rows: Iterable[Cells]) -> str:
    """Format rows below a header, without optional columns that do not fit the terminal."""
    columns = {name: list(cells) for name, *cells in zip(HEAD, *rows, strict=True)}
    widths = {name: max(map(len, [name, *cells])) + 2 for name, cells in columns.items()}
    for name in OPTIONAL:
        used = sum(widths[column] for column in columns if column != "SUMMARY")
        available = _screen.terminal_width() - used
        if available >= MIN_SUMMARY:
            columns["SUMMARY"] = [_shorten(text, available) for text in columns["SUMMARY"]]
            break
        del columns[name]
    head = list(columns)
    if sys.stdout.isatty():  # saves time if the output is not a terminal, where styles are removed
        head = [*map(_screen.dim, head)]
        columns["NAME"] = [*map(_screen.bold, columns["NAME"])]
    return _screen.columns([head, *zip(*columns.values(), strict=True)], right=(1, 2))


def _shorten(text: str, width: int) -> str:
    """Truncate text to a width after a complete word, with an ellipsis."""
    if len(text) <= width:
        return text
    beginning = text[: width - 1]
    return f"{beginning.rpartition(' ')[0] or beginning[:-1]} …"
