"""Read the headers of image and audio files, and decode them, with all cores."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from dshub.catalog.features import AudioFeature, ImageFeature, is_encoded
from dshub.catalog.manifest import Manifest
from dshub.datasets.dataset import Dataset
from dshub.errors import ReadError, SchemaError
from dshub.hub.media import failing_rows, reason_of
from dshub.loading.cores import available_cores
from dshub.loading.tolerance import Failures, collecting
from dshub.loading.workers import Workers
from dshub.progress import Progress, Task
from dshub.publishing.authoring.scanning import audio_feature, image_feature
from dshub.publishing.authoring.survey import Entry
from dshub.tables.building import file_names, rows_of
from dshub.tables.recipe import Origin

BLOCK = 8  # files per thread that are in memory at the same time
SHOWN = 20  # bad files to list
MediaFeature = ImageFeature | AudioFeature

HINT = "replace or remove these files, or use --skip-bad to leave them out"


@dataclass
class Media:
    """Features of image or audio files, and the files that cannot be read.

    Attributes:
        features: features, each with the name of a file that has it.
        bad: reasons why files cannot be read, with the next step if there is one, by their
            names in errors.
        pointers: next steps for pointers of version control among the bad files, by name.
    """

    features: dict[MediaFeature, str] = field(default_factory=dict)
    bad: dict[str, str] = field(default_factory=dict)
    pointers: dict[str, str] = field(default_factory=dict)

    @property
    def hint(self) -> str:
        """Next step for the bad files."""
        all_pointers = 0 < len(self.pointers) == len(self.bad)
        return next(iter(self.pointers.values())) if all_pointers else HINT


def read_media(entries: Sequence[Entry], kind: str, title: str, progress: Progress) -> Media:
    """Read every file, and return their features and the bad files.

    Args:
        entries: files.
        kind: `image` or `audio`.
        title: what the files are, for the progress display.
        progress: progress display.

    Raises:
        StoreError: a file cannot be read from the disk.
        MissingExtraError: audio needs a package that is not installed.
    """
    read: Callable[[bytes, str], MediaFeature]
    read = image_feature if kind == "image" else audio_feature
    media, threads = Media(), available_cores()
    workers, size = Workers(threads), BLOCK * threads
    with Task(progress, title, len(entries), unit="files") as task, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large images are allowed
        for start in range(0, len(entries), size):
            block = entries[start : start + size]
            features, failures = _inspect(block, read, workers)
            media.bad |= {block[i].file.name: _explained(failures[i]) for i in sorted(failures)}
            media.pointers |= {
                block[i].file.name: error.hint
                for i, error in failures.items()
                if " pointer" in reason_of(error) and error.hint
            }
            for index in sorted(features):
                media.features.setdefault(features[index], block[index].name)
            task.advance(len(block))
    return media


def _inspect(
    entries: Sequence[Entry], read: Callable[[bytes, str], MediaFeature], workers: Workers
) -> tuple[dict[int, MediaFeature], Failures]:
    """Return the features and the errors of files, by index."""
    contents: dict[int, bytes] = {}
    features: dict[int, MediaFeature] = {}
    failures: Failures = {}

    def load(index: int) -> None:
        contents[index] = entries[index].content()

    def inspect(index: int) -> None:
        if index in contents:
            features[index] = read(contents[index], entries[index].file.name)

    for index in range(len(entries)):  # archives allow one reader at a time
        collecting(load, failures)(index)
    workers.run(collecting(inspect, failures), len(entries))
    return features, failures


def refuse_bad(bad: Mapping[str, str], total: int, *, hint: str = HINT) -> None:
    """Raise ReadError if there are bad files; the message lists them.

    Args:
        bad: reason for each bad file, by name.
        total: number of all files.
        hint: next step.
    """
    if not bad:
        return
    names = list(bad.items())
    if len(names) == 1:
        raise ReadError(file=names[0][0], reason=names[0][1], hint=hint)
    lines = [f"{name}: {reason}" for name, reason in names[:SHOWN]]
    lines += [f"and {len(names) - SHOWN:,} more"] if len(names) > SHOWN else []
    reason = f"{len(names):,} of {total:,}"
    raise ReadError(file="files that cannot be decoded", reason=reason, details=lines, hint=hint)


def _explained(error: ReadError | SchemaError) -> str:
    """Return the reason of an error, and its own next step if it has one, as for pointers."""
    reason = reason_of(error)
    return reason if error.hint == type(error).hint else f"{reason}; {error.hint}"


def check_media(manifest: Manifest, paths: Mapping[str, Path], progress: Progress) -> None:
    """Decode every image and audio file through a drafted manifest.

    Args:
        manifest: drafted manifest.
        paths: file path of each resource.
        progress: progress display.

    Raises:
        ReadError: files cannot be decoded; the message lists them.
    """
    bad: dict[str, str] = {}
    total = 0
    for split, facts in manifest.splits.items():
        features = manifest.split_features(split)
        for column in [name for name, feature in features.items() if is_encoded(feature)]:
            total += facts.rows
            with Task(progress, f"decoding {column} of {split}", facts.rows, unit="files") as task:
                found = dict(_failing(manifest, split, paths, column, task))
            bad |= _named(manifest, split, paths, column, found)
    refuse_bad(bad, total, hint="replace or remove these files")


def _failing(
    manifest: Manifest, split: str, paths: Mapping[str, Path], column: str, task: Task
) -> Iterator[tuple[int, str]]:
    """Yield the row and the reason of each bad file of a column."""
    first, feature = 0, manifest.split_features(split)[column]
    for batch in rows_of(manifest, split, paths):
        view = Dataset.from_arrow(batch.select([column]), features={column: feature})
        yield from (
            (first + row, reason_of(error)) for row, error in failing_rows(view, task.advance)
        )
        first += batch.num_rows


def _named(
    manifest: Manifest,
    split: str,
    paths: Mapping[str, Path],
    column: str,
    found: Mapping[int, str],
) -> dict[str, str]:
    """Return reasons by the name of the file, or of the row if there is no file per row."""
    names = file_names(Origin(manifest), split, paths, column) if found else None
    place = partial("{}, row {}, column {}".format, split)
    return {
        place(row, column) if names is None else names[row].as_py().decode(): reason
        for row, reason in found.items()
    }
