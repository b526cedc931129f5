"""Decode every image and audio file of a prepared split."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.errors import ReadError, SchemaError
from dshub.loading.cores import available_cores
from dshub.loading.tolerance import Failures, collecting
from dshub.loading.workers import Workers
from dshub.progress import Progress, Task
from dshub.tables.originals import original_file

BLOCK = 32  # rows per thread between checks for Ctrl-C


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be decoded.

    Attributes:
        split, row, column: place of the file.
        file: original name of the file, or empty if it is unknown.
        reason: reason, without the place.
    """

    split: str
    row: int
    column: str
    file: str
    reason: str


def bad_files(
    manifest: Manifest, split: str, folder: Path, column: str, progress: Progress
) -> Iterator[BadFile]:
    """Decode a column of files in threads, and yield the bad ones in order.

    Args:
        manifest: manifest of the dataset.
        split: name of the split.
        folder: folder of its table.
        column: column of image or audio files.
        progress: progress display.

    Raises:
        MissingExtraError: audio needs a package that is not installed.
        StoreError: the table cannot be read.
    """
    view = Dataset.from_tables([folder], manifest).columns([column])
    title = f"decoding {column} of {manifest.name} {split}"
    with Task(progress, title, len(view), unit="files") as task:
        for row, error in failing_rows(view, task.advance):
            name = original_file(folder, column, row)
            yield BadFile(split, row, column, name, reason_of(error))


def failing_rows(
    view: Dataset, advance: Callable[[int], object]
) -> Iterator[tuple[int, ReadError | SchemaError]]:
    """Decode all rows of a view in threads, and yield those that fail, in order.

    Args:
        view: rows to decode.
        advance: callback for the number of decoded rows.
    """
    threads = available_cores()
    workers, block = Workers(threads), BLOCK * threads
    for start in range(0, len(view), block):
        rows = np.arange(start, min(start + block, len(view)))
        failures: Failures = {}

        def decode(index: int, rows: np.ndarray = rows) -> None:
            view.gather(rows[index : index + 1])

        workers.run(collecting(decode, failures), len(rows))
        advance(len(rows))
        for index, error in sorted(failures.items()):
            yield start + index, error


def reason_of(error: ReadError | SchemaError) -> str:
    """Return the reason of an error, without the place."""
    if isinstance(error, SchemaError):
        return f"got {error.got}, expected {error.expected}"
    return error.reason
