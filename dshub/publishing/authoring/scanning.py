"""Scan rows to infer features, and read the headers of images and audio files."""

import io
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from PIL import Image

from dshub import formats
from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature
from dshub.datasets.decoding import detect_audio
from dshub.errors import DshubError
from dshub.loading.decoding import images
from dshub.progress import Progress, Task
from dshub.publishing.authoring.columns import Column, guess
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.survey import Entry, key

_ROTATED = range(5, 9)  # EXIF orientations that swap width and height


def image_feature(entry: Entry) -> ImageFeature:
    """Read the shape and the encoding of an image.

    A JPEG is decoded at one eighth of its size, which is three times as fast.

    Raises:
        ReadError: the image cannot be decoded.
    """
    with entry.file.open() as file:
        data = file.read()
    stream = io.BytesIO(data)
    with warnings.catch_warnings(), images.decoding_errors(lambda: entry.file.name, hint=""):
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large images are allowed
        with images.open_image(stream, len(data)) as image:
            width, height = image.size
            image.draft(None, (1, 1))
            images.load(image, stream)
            if images.orientation(image) in _ROTATED:
                width, height = height, width
            channels = 1 if image.mode in {"1", "L", "I", "I;16", "F"} else 3
            encoding: Any = {"JPEG": "jpeg", "PNG": "png"}.get(image.format, "any")
    return ImageFeature(shape=(height, width, channels), encoding=encoding)


def audio_feature(entry: Entry) -> AudioFeature:
    """Read the rate, channels and encoding of an audio file, and check that it is complete.

    Raises:
        ReadError: the file is not audio in a supported format, or is cut.
    """
    with entry.file.open() as file:
        return detect_audio(file.read(), entry.file.name)


def scan(outline: Outline, kinds: Mapping[str, str], progress: Progress) -> None:
    """Add features, row counts and figures to an outline by reading every row.

    Args:
        outline: outline with the files of each split.
        kinds: `label`, `text` or `number` by column, to override the guess.
        progress: progress display.

    Raises:
        DshubError: a split has no rows, or two splits have no common column.
        ReadError: a file does not match its format.
    """
    columns: dict[str, Column] = {}
    classes: dict[str, tuple[str, ...]] = {}
    with Task(progress, "reading every row", None, unit="rows") as task:
        for name, split in outline.splits.items():
            for batch in batches(split):
                _summarize(columns, name, batch)
                classes = classes or stated_classes(batch.schema.metadata, split.rename)
                split.rows += batch.num_rows
                task.advance(batch.num_rows)
            if not split.rows:
                files = ", ".join(entry.name for part in split.parts.values() for entry in part)
                raise DshubError(
                    f"split {name} has no rows: {files}", hint="pass only files with rows"
                )
    kinds = _by_column(kinds, outline, columns)
    for column, summary in columns.items():
        feature, doubt = guess(summary, kinds.get(column, ""), classes.get(column, ()))
        outline.doubts += [doubt] if doubt else []
        if isinstance(feature, LabelFeature) and "" in feature.names:
            outline.doubts.append(_doubt_of_empty(column, summary))
        outline.features |= {column: feature} if feature else {}
    if not outline.features:
        raise DshubError("no column can be used", hint="; ".join(outline.doubts))
    for name in outline.splits:
        _compare(outline, columns, name)


def _by_column(
    kinds: Mapping[str, str], outline: Outline, columns: Mapping[str, Column]
) -> dict[str, str]:
    """Return the kinds by column, because users name columns as their files do."""
    renames = {old: new for split in outline.splits.values() for old, new in split.rename.items()}
    named = {n if n in columns else renames.get(n, n): kind for n, kind in kinds.items()}
    check_columns(named, columns)
    return named


def _doubt_of_empty(column: str, summary: Column) -> str:
    rows = sum(counter[""] for counter in (summary.counts or {}).values())
    total = summary.rows.total()
    return (
        f"column {column!r}: {rows:,} of {total:,} rows have no value, which becomes a class with "
        "an empty name; fill or remove these rows"
    )


def _summarize(columns: dict[str, Column], split: str, batch: pa.RecordBatch) -> None:
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        columns.setdefault(name, Column(name)).add(split, values)


def check_columns(names: Iterable[str], columns: Collection[str]) -> None:
    """Raise DshubError if a name is not one of the columns."""
    for name in names:
        if name not in columns:
            hint = f"the columns are {', '.join(columns)}"
            raise DshubError(f"there is no column {name!r}", hint=hint)


def batches(split: SplitOutline) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a split, with columns renamed to valid manifest keys."""
    files = {name: [entry.file for entry in part] for name, part in split.parts.items()}
    for batch in formats.create(split.reader).read(files):
        if not split.rename:
            split.rename = renamed(batch.schema.names)
        names = [split.rename.get(name, name) for name in batch.schema.names]
        metadata = batch.schema.metadata
        yield batch.rename_columns(names).replace_schema_metadata(metadata)


def stated_classes(
    metadata: Mapping[bytes, bytes] | None, rename: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the class names of columns in the metadata that Hugging Face `datasets` writes.

    Args:
        metadata: metadata of an Arrow schema.
        rename: new names of columns, by old name.
    """
    try:
        text = (metadata or {}).get(b"huggingface", b"")
        features = msgspec.json.decode(text, type=_Metadata).info.features if text else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return {
        rename.get(name, name): tuple(feature["names"])
        for name, feature in features.items()
        if isinstance(feature, dict)
        and feature.get("_type") == "ClassLabel"
        and isinstance(feature.get("names"), list)
        and all(isinstance(item, str) and item for item in feature["names"])
    }


class _Info(msgspec.Struct):
    features: dict[str, Any] = {}


class _Metadata(msgspec.Struct):
    info: _Info


def renamed(columns: Sequence[str]) -> dict[str, str]:
    """Return new names for the columns that are not valid manifest keys, by old name."""
    used = {column for column in columns if key(column) == column}
    names: dict[str, str] = {}
    for i, column in enumerate(columns, 1):
        if column not in used:
            names[column] = key(column, used, default=f"column_{i}")
            used.add(names[column])
    return names


def _compare(outline: Outline, columns: Mapping[str, Column], name: str) -> None:
    """Add the missing columns and the class counts of a split to the outline."""
    split, other_splits = outline.splits[name], outline.splits.keys() - {name}
    present = [column for column in outline.features if name in columns[column].rows]
    if other_splits and not any(columns[column].rows.keys() & other_splits for column in present):
        raise DshubError(
            f"split {name} has no column in common with {', '.join(sorted(other_splits))}",
            hint="pass only files of one dataset, with the same columns",
        )
    split.without = [column for column in outline.features if name not in columns[column].rows]
    if split.without:
        outline.doubts.append(f"split {name} has no column {', '.join(split.without)}")
    for column in present:
        feature = outline.features[column]
        if isinstance(feature, LabelFeature):
            counts = (columns[column].counts or {}).get(name, Counter())
            values: Iterable[str] = feature.names
            if pa.types.is_integer(columns[column].type):
                values = map(str, range(feature.first, feature.first + len(feature.names)))
            split.figures[f"{column}-counts"] = tuple(counts[value] for value in values)
