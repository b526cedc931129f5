"""Outline files that `dshub export` wrote, with the features in the record of the export."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from dshub import plugins
from dshub.catalog.features import (
    Feature,
    LabelFeature,
    ListFeature,
    StructFeature,
)
from dshub.datasets.inference import missing_paths
from dshub.datasets.tabular.files import LooseFile
from dshub.datasets.trees import ordered_splits
from dshub.export._running import SplitRecord, find_record
from dshub.export._stored import Stored
from dshub.progress import Progress, Task
from dshub.publishing.authoring.outline import PACKED, Outline, SplitOutline
from dshub.publishing.authoring.scanning import batches
from dshub.publishing.authoring.survey import Entry, Survey, key
from dshub.tables.conforming import conform


def outline(tops: Sequence[Path], survey: Survey, progress: Progress) -> Outline | None:
    """Outline files from their record; return None if they are not exactly complete exports.

    Args:
        tops: files and folders from the command line.
        survey: all files in them.
        progress: progress display.

    Raises:
        ReadError, SchemaError: a file does not match the record.
    """
    folders = {top if top.is_dir() else top.parent for top in tops}
    record = find_record(folders.pop()) if len(folders) == 1 else None
    if record is None or record.format not in plugins.names("export"):
        return None
    folder = next(top if top.is_dir() else top.parent for top in tops)
    exporter = plugins.module("export", record.format).exporter
    paths = {entry.path for entry in survey.entries}
    is_tree = exporter.kind == "folder"
    chosen = (_complete_trees if is_tree else _complete)(folder, record.splits, paths)
    stored = [exporter.stored(split.features, split.supervised) for split in chosen.values()]
    if not chosen or stored[0] is None or any(one != stored[0] for one in stored):
        return None
    if any(key(name) != name for name in stored[0].features):
        return None
    dataset = next(iter(chosen.values())).dataset
    result = Outline(f"{dataset}, exported to {record.format}", features=dict(stored[0].features))
    if is_tree:
        result.members = [(entry.name, entry.path) for entry in survey.entries]
    for name in ordered_splits(chosen):
        if is_tree:
            result.splits[key(name)] = _tree(name, stored[0], survey)
            continue
        files = [folder / file for file in _names(chosen[name], exporter.suffixes[-1])]
        result.splits[key(name)] = _split(files, stored[0], survey)
    _scan(result, stored[0].features, progress)
    return result


def _complete(
    folder: Path, splits: dict[str, SplitRecord], paths: Collection[Path]
) -> dict[str, SplitRecord]:
    """Return the splits whose files are given, if the files of them are all that is given."""
    chosen: dict[str, SplitRecord] = {}
    expected: set[Path] = set()
    for name, split in splits.items():
        files = list(chain.from_iterable(split.done.values()))
        own = {folder / file.name: file.size for file in files}
        if not own.keys() <= set(paths) or len(split.done) != split.shards:
            continue
        if all(path.stat().st_size == size for path, size in own.items()):
            chosen[name] = split
            expected |= own.keys()
    return chosen if expected and expected == set(paths) else {}


def _complete_trees(
    folder: Path, splits: dict[str, SplitRecord], paths: Collection[Path]
) -> dict[str, SplitRecord]:
    """Return all splits, if each is a folder of as many files as it has rows."""
    tops = Counter(path.relative_to(folder).parts[0] for path in paths)
    rows = {name: split.rows for name, split in splits.items() if split.rows}
    complete = all(len(split.done) == split.shards for split in splits.values())
    return {name: splits[name] for name in rows} if complete and tops == rows else {}


def _tree(name: str, stored: Stored, survey: Survey) -> SplitOutline:
    """Outline the folder of a split, whose files will be packed."""
    split = SplitOutline({**stored.reader, "path": f"{name}/{stored.reader['path']}"})
    split.parts[stored.part] = [
        replace(entry, file=LooseFile(entry.path, str(entry.path), entry.name))
        for entry in survey.entries
        if entry.folders[0] == name
    ]
    split.references[stored.part] = [(PACKED, f"{name}/*")]
    return split


def _names(split: SplitRecord, suffix: str) -> list[str]:
    """Return the names of the main files, in the order of shards."""
    files = chain.from_iterable(split.done.get(str(shard), ()) for shard in range(split.shards))
    return [file.name for file in files if file.name.endswith(suffix)]


def _split(paths: Sequence[Path], stored: Stored, survey: Survey) -> SplitOutline:
    split = SplitOutline(dict(stored.reader))
    entries = [Entry(path.name, path, LooseFile(path, str(path))) for path in paths]
    if stored.member:
        members: dict[Path, list[Entry]] = defaultdict(list)
        for entry in survey.entries:
            members[entry.path].append(entry)
        entries = [entry for path in paths for entry in members[path]]
    split.parts[stored.part] = entries
    split.references[stored.part] = [(path, stored.member) for path in paths]
    return split


def _scan(result: Outline, features: dict[str, Feature], progress: Progress) -> None:
    """Read every row, to count rows and classes and to find columns with missing values."""
    missing: dict[str, set[str]] = defaultdict(set)
    labels = {
        name: msgspec.structs.replace(feature, optional=True)
        for name, feature in features.items()
        if isinstance(feature, LabelFeature)
    }
    with Task(progress, "reading every row", None, unit="rows") as task:
        for name, split in result.splits.items():
            counts = {label: np.zeros(len(labels[label].names), np.int64) for label in labels}
            for batch in batches(split):
                _note_missing(batch, missing)
                classes = conform(batch, labels, where=name, first_row=split.rows)
                _count(classes, counts)
                split.rows += batch.num_rows
                task.advance(batch.num_rows)
            split.figures = {f"{label}-counts": tuple(map(int, of)) for label, of in counts.items()}
    result.features = {
        name: with_missing(feature, missing[name]) for name, feature in features.items()
    }


def _note_missing(batch: pa.RecordBatch, missing: dict[str, set[str]]) -> None:
    for column, values in zip(batch.schema.names, batch.columns, strict=True):
        missing[column].update(missing_paths(values))


def _count(classes: pa.RecordBatch, counts: dict[str, np.ndarray]) -> None:
    for label, values in zip(classes.schema.names, classes.columns, strict=True):
        numbers = values.drop_null().to_numpy(zero_copy_only=False)
        counts[label] += np.bincount(numbers, minlength=len(counts[label]))


def with_missing(feature: Feature, paths: Collection[str], path: str = "") -> Feature:
    """Return a feature that is optional where values are missing; see `missing_paths`."""
    optional = feature.optional or path in paths
    if isinstance(feature, ListFeature):
        of = with_missing(feature.of, paths, f"{path}[]")
        return msgspec.structs.replace(feature, of=of, optional=optional)
    if isinstance(feature, StructFeature):
        fields = {
            name: with_missing(of, paths, f"{path}.{name}") for name, of in feature.fields.items()
        }
        return msgspec.structs.replace(feature, fields=fields, optional=optional)
    return msgspec.structs.replace(feature, optional=optional)
