"""A list of datasets, as `list` and `search` show it."""

from collections.abc import Sequence

from dshub.catalog.search import Summary
from dshub.cli import _screen
from dshub.progress import size

NARROWEST = 3  # columns that are always shown: name, rows, download
SUMMARY = 20  # characters of the summary below which it, or what is before it, makes way


def show(found: Sequence[Summary], as_json: bool) -> None:
    """Print some datasets, a line each."""
    plain = [{name: getattr(item, name) for name in Summary.__struct_fields__} for item in found]
    _screen.answer(as_json, {"datasets": plain}, lambda: _text(found))


def _text(found: Sequence[Summary]) -> str:
    """A line each, within the terminal: where that is narrow, without the task, or the summary."""
    if not found:
        return ""
    rows = [["NAME", "ROWS", "DOWNLOAD", "TASK", "WHAT IT IS"]]
    for item in found:
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
