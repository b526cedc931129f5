"""Decode every image and audio file of prepared splits."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from dshub.cache.store import Store
from dshub.catalog.features import is_encoded
from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.datasets.split_expressions import find_split
from dshub.errors import ReadError, SchemaError
from dshub.hub.verification import BadFile, Finding, verify
from dshub.loading.cores import available_cores
from dshub.loading.tolerance import Failures, collecting
from dshub.loading.workers import Workers
from dshub.progress import Progress, Task
from dshub.tables.originals import original_file
from dshub.tables.recipe import find

BLOCK = 32  # rows per thread between checks for Ctrl-C


def verify_media(
    manifest: Manifest, store: Store, *, decode: Sequence[str], progress: Progress
) -> Iterator[Finding]:
    """Verify the cached files and tables of a dataset, and decode its image and audio files.

    Args:
        manifest: manifest of the dataset.
        store: cache.
        decode: splits to decode; those that are not prepared are skipped.
        progress: progress display of decoding.

    Yields:
        The findings of `verify`, and then for each column of files its number of bad files, and
        each bad file.

    Raises:
        UnknownNameError: a split does not exist.
        StoreError: a file cannot be opened, for example without permission.
        MissingExtraError: audio needs a package that is not installed.
    """
    yield from verify(manifest, store)
    for name in decode:
        split = find_split(manifest.name, name, manifest.splits)
        folder = find(manifest, split, store)
        features = manifest.split_features(split) if folder else {}
        for column in [name for name, feature in features.items() if is_encoded(feature)]:
            assert folder is not None  # noqa: S101  # for type checkers
            bad = list(bad_files(manifest, split, folder, column, progress))
            rows, thing = manifest.splits[split].rows, f"{column} of {split}"
            detail = f"{len(bad):,} of {rows:,} files cannot be decoded"
            yield Finding(thing, "bad", detail) if bad else Finding(thing, "ok", f"{rows:,} files")
            for item in bad:
                reason = f"{item.file}: {item.reason}" if item.file else item.reason
                yield Finding(f"{thing}, row {item.row}", "bad", reason, item)


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
