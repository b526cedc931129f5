"""Whether a manifest that was just made holds for the files that it was made of."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dshub.errors import SchemaError
from dshub.manifest import Manifest
from dshub.preparation import rows_of
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
        counts = {
            figure.removesuffix("-counts"): np.zeros(len(value), np.int64)
            for figure, value in split.figures.items()
            if isinstance(value, tuple)
        }
        rows = 0
        with Task(progress, f"checking {name}", split.rows, unit="rows") as task:
            for batch in rows_of(manifest, name, paths):
                rows += batch.num_rows
                task.advance(batch.num_rows)
                for column, count in counts.items():
                    found = batch.column(column).to_numpy()
                    count += np.bincount(found, minlength=len(count))
        compare(manifest, name, rows, counts)


def compare(manifest: Manifest, split: str, rows: int, counts: Mapping[str, np.ndarray]) -> None:
    """Compare what was read of a split with what the manifest says; raises SchemaError.

    Args:
        manifest: what is said.
        split: which split.
        rows: how many were read.
        counts: int64 (classes,), rows of each class, by column.
    """
    where, facts = f"{manifest.name}, split {split}", manifest.splits[split]
    if rows != facts.rows:
        raise SchemaError(where=where, expected=f"{facts.rows:,} rows", got=f"{rows:,} rows")
    for column, count in counts.items():
        expected = facts.figures[f"{column}-counts"]
        if expected != tuple(count.tolist()):
            told = f"rows of each class {list(count)}"
            raise SchemaError(where=f"{where}, column {column}", expected=f"{expected}", got=told)
