"""A list of datasets, as `list` and `search` show it."""

from collections.abc import Sequence

from dshub.cli import _screen
from dshub.manifest import Manifest
from dshub.progress import size
from dshub.registry import summary


def show(manifests: Sequence[Manifest], as_json: bool) -> None:
    """Print some datasets, a line each."""
    data = {"datasets": [summary(manifest) for manifest in manifests]}
    _screen.answer(as_json, data, lambda: _text(manifests))


def _text(manifests: Sequence[Manifest]) -> str:
    if not manifests:
        return ""
    head = [_screen.dim(word) for word in ("NAME", "ROWS", "DOWNLOAD", "TASK", "WHAT IT IS")]
    rows = [head]
    for manifest in manifests:
        total = sum(split.rows for split in manifest.splits.values())
        name = _screen.bold(manifest.name)
        rows.append([name, f"{total:,}", size(manifest.size), manifest.task, manifest.summary])
    used = [max(len(row[i]) for row in rows[1:]) for i in (1, 2, 3)]
    names = max(len(manifest.name) for manifest in manifests)
    left = _screen.terminal_width() - names - sum(used) - 8
    for row in rows[1:]:
        row[4] = _screen.fitted(row[4], max(left, 20))
    return _screen.columns(rows, right=(1, 2))
