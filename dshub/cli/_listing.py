"""A list of datasets, as `list` and `search` show it."""

from collections.abc import Sequence

import msgspec

from dshub.cli import _screen
from dshub.progress import size
from dshub.registry import Summary


def show(found: Sequence[Summary], as_json: bool) -> None:
    """Print some datasets, a line each."""
    plain = [
        {name: msgspec.to_builtins(getattr(item, name)) for name in Summary.__struct_fields__}
        for item in found
    ]
    _screen.answer(as_json, {"datasets": plain}, lambda: _text(found))


def _text(found: Sequence[Summary]) -> str:
    if not found:
        return ""
    head = [_screen.dim(word) for word in ("NAME", "ROWS", "DOWNLOAD", "TASK", "WHAT IT IS")]
    rows = [head]
    for item in found:
        total = sum(item.rows.values())
        rows.append(
            [
                _screen.bold(item.name),
                f"{total:,}",
                size(item.size),
                item.task,
                " ".join(item.summary.split()),
            ]
        )
    used = [max(len(row[i]) for row in rows[1:]) for i in (1, 2, 3)]
    names = max(len(item.name) for item in found)
    left = _screen.terminal_width() - names - sum(used) - 8
    for row in rows[1:]:
        row[4] = _screen.fitted(row[4], max(left, 20))
    return _screen.columns(rows, right=(1, 2))
