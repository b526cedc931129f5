"""Whether a manifest that was just made holds for the files that it was made of."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from dshub.errors import SchemaError
from dshub.manifest import Manifest
from dshub.preparation.reading import rows_of
from dshub.progress import Progress, Task


def verify(manifest: Manifest, paths: Mapping[str, Path], progress: Progress) -> None:
    """Read every row as `load` would, and compare their number and their classes.

    Args:
        manifest: of the files.
        paths: the file of each resource.
        progress: is told how far it has come.

    Raises:
        ReadError, SchemaError: the files are not what the manifest says.
    """
    for name, split in manifest.splits.items():
        wanted = {
            figure: value for figure, value in split.figures.items() if isinstance(value, tuple)
        }
        counts = {figure: np.zeros(len(value), np.int64) for figure, value in wanted.items()}
        rows = 0
        with Task(progress, f"checking {name}", split.rows, unit="rows") as task:
            for batch in rows_of(manifest, name, paths):
                rows += batch.num_rows
                counts = {figure: _counted(batch, figure, old) for figure, old in counts.items()}
                task.advance(batch.num_rows)
        _compare(manifest, name, rows, counts)


def _counted(batch: pa.RecordBatch, figure: str, before: np.ndarray) -> np.ndarray:
    """Rows of each class, (classes,), with those of a batch added."""
    found = batch.column(figure.removesuffix("-counts")).to_numpy()
    return before + np.bincount(found, minlength=len(before))


def _compare(manifest: Manifest, split: str, rows: int, counts: Mapping[str, np.ndarray]) -> None:
    where, facts = f"{manifest.name}, split {split}", manifest.splits[split]
    if rows != facts.rows:
        raise SchemaError(where=where, expected=f"{facts.rows:,} rows", got=f"{rows:,} rows")
    for figure, count in counts.items():
        expected = facts.figures[figure]
        if expected != tuple(count.tolist()):
            got = str(tuple(count.tolist()))
            raise SchemaError(where=f"{where}, {figure}", expected=str(expected), got=got)
