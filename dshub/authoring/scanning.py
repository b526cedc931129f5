"""Reading every row of an outline once: its columns, and how many rows there are of which class."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from dshub import readers
from dshub.authoring.columns import Column, Wishes, class_counts, guess
from dshub.authoring.names import key
from dshub.authoring.outline import Outline, SplitOutline
from dshub.errors import DshubError
from dshub.manifest import LabelFeature
from dshub.progress import Progress, Task


def scan(outline: Outline, wishes: Wishes, progress: Progress) -> None:
    """Fill in features, examples, rows and figures.

    Raises:
        DshubError: a split has no rows, or splits have nothing in common.
        ReadError: a file is not what it seemed to be.
    """
    columns: dict[str, Column] = {}
    with Task(progress, "reading every row", None, unit="rows") as task:
        for name, split in outline.splits.items():
            for batch in _batches(split):
                _see(batch, name, columns)
                split.rows += batch.num_rows
                task.advance(batch.num_rows)
            _check_rows(name, split)
    wishes.check(columns)
    for column in columns.values():
        feature, doubts = guess(column, wishes)
        outline.doubts += doubts
        if feature is not None:
            outline.features[column.name] = feature
            outline.examples[column.name] = column.example
    _compare(outline, columns)


def _see(batch: pa.RecordBatch, split: str, columns: dict[str, Column]) -> None:
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        columns.setdefault(name, Column(name)).add(split, values)


def _batches(split: SplitOutline) -> Iterator[pa.RecordBatch]:
    """The rows of a split under the names that a manifest can have."""
    files = {name: [entry.file for entry in part.entries] for name, part in split.parts.items()}
    for batch in readers.create(split.reader).read(files):
        if not split.rename:
            split.rename = renamed(batch.schema.names)
        names = [split.rename.get(name, name) for name in batch.schema.names]
        yield batch.rename_columns(names)


def renamed(columns: Sequence[str]) -> dict[str, str]:
    """Those columns whose names a manifest cannot have, and the names they get."""
    taken = {column for column in columns if key(column) == column}
    names: dict[str, str] = {}
    for i, column in enumerate(columns, 1):
        if column not in taken:
            names[column] = key(column, taken, instead=f"column_{i}")
            taken.add(names[column])
    return names


def _check_rows(name: str, split: SplitOutline) -> None:
    if not split.rows:
        files = ", ".join(entry.name for part in split.parts.values() for entry in part.entries)
        raise DshubError(
            f"split {name} has no rows: {files}", hint="leave such files out, or fill them"
        )


def _compare(outline: Outline, columns: dict[str, Column]) -> None:
    """What each split lacks, and how many rows of each class it has."""
    if not outline.features:
        raise DshubError("no column is left", hint="; ".join(outline.doubts))
    for name, split in outline.splits.items():
        own = [column for column in outline.features if name in columns[column].rows]
        others = {other for other in outline.splits if other != name}
        if others and not any(columns[column].rows.keys() & others for column in own):
            raise DshubError(
                f"split {name} has no column in common with {', '.join(sorted(others))}",
                hint="name files that belong together",
            )
        present = set(own)
        split.without = [column for column in outline.features if column not in present]
        if split.without:
            outline.doubts.append(f"split {name} has no column {', '.join(split.without)}")
        for column in own:
            feature = outline.features[column]
            if isinstance(feature, LabelFeature):
                counts = class_counts(columns[column], feature, name)
                split.figures[f"{column}-counts"] = counts
