"""Scan rows to infer features, and read the headers of images and audio files."""

import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from dshub import formats
from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature, MaskFeature
from dshub.datasets.decoding import detect_audio
from dshub.datasets.depths import header_dtype
from dshub.datasets.tabular.arrays import ArrayRange
from dshub.datasets.tabular.columns import Column
from dshub.datasets.tabular.inferring import Inference
from dshub.datasets.tabular.readers import name_of_unnamed, untyped
from dshub.errors import DshubError, SchemaError
from dshub.loading.decoding import images
from dshub.loading.decoding.pixels import DEFAULT, decode_image
from dshub.loading.decoding.values import dtype_of
from dshub.progress import Progress, Task
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.survey import Entry, key
from dshub.tables.encodings import SIGNATURES

_ROTATED = range(5, 9)  # EXIF orientations that swap width and height


def image_feature(data: bytes, name: str) -> ImageFeature:
    """Read the shape and the encoding of an image.

    A JPEG is decoded at one eighth of its size, which is three times as fast.

    Args:
        data: contents of the file.
        name: name of the file, for errors.

    Raises:
        ReadError: the image cannot be decoded.
    """
    stream = io.BytesIO(data)
    with (
        images.decoding_errors(lambda: name, hint="", data=data),
        images.open_image(stream, len(data)) as image,
    ):
        dtype: Any = dtype_of(image)
        width, height = image.size
        image.draft(None, (1, 1))
        images.load(image, stream)
        if images.orientation(image) in _ROTATED:
            width, height = height, width
        is_gray = image.mode in {"1", "L", "F"} or image.mode.startswith("I")
        encoding: Any = {"JPEG": "jpeg", "PNG": "png"}.get(image.format, "any")
    return ImageFeature(shape=(height, width, 1 if is_gray else 3), encoding=encoding, dtype=dtype)


def mask_feature(entry: Entry) -> MaskFeature | None:
    """Read the shape, dtype and encoding of a mask; return None if it has colors.

    Raises:
        ReadError: the mask cannot be decoded.
    """
    with entry.file.open() as file:
        data = file.read()
    encoding: Any = "png" if data.startswith(SIGNATURES["png"]) else "any"
    try:
        decoded = decode_image(
            data, MaskFeature(encoding="any", dtype="int32"), DEFAULT, lambda: entry.file.name
        )
    except SchemaError:
        return None
    dtype: Any = header_dtype(io.BytesIO(data), len(data)).replace("float32", "int32")
    return MaskFeature(shape=decoded.shape, encoding=encoding, dtype=dtype)


def audio_feature(data: bytes, name: str) -> AudioFeature:
    """Read the rate, channels and encoding of an audio file, and check that it is complete.

    Args:
        data: contents of the file.
        name: name of the file, for errors.

    Raises:
        ReadError: the file is not audio in a supported format, or is cut.
    """
    return detect_audio(data, name)


def scan(
    outline: Outline,
    kinds: Mapping[str, str],
    progress: Progress,
    *,
    arrays: Mapping[str, ArrayRange] | None = None,
) -> None:
    """Add features, row counts and figures to an outline by reading every row.

    Args:
        outline: outline with the files of each split.
        kinds: `label`, `text` or `number` by column, to override the guess.
        progress: progress display.
        arrays: columns that become arrays, by the name of the array.

    Raises:
        DshubError: a split has no rows, or two splits have no common column.
        ReadError: a file does not match its format.
    """
    found = Inference()
    with Task(progress, "reading every row", None, unit="rows") as task:
        for name, split in outline.splits.items():
            for batch in batches(split):
                texts = untyped(split.reader, batch.schema.names)
                found.add(name, batch, split.rename, untyped=texts)
                split.rows += batch.num_rows
                task.advance(batch.num_rows)
            if not split.rows:
                files = ", ".join(entry.name for part in split.parts.values() for entry in part)
                raise DshubError(
                    f"split {name} has no rows: {files}", hint="pass only files with rows"
                )
    kinds = _by_column(kinds, outline, found.columns)
    found.infer(kinds, arrays or {}, key)
    outline.features = found.features
    outline.doubts += found.notes
    outline.doubts += [
        f"the {count:,} columns from {first!r} to {last!r} have numbers of one dtype; to read them "
        f'as one array, use --array "values={first}..{last}"'
        for first, last, count in found.offers()
    ]
    for name, split in outline.splits.items():
        split.steps += msgspec.to_builtins(found.stacks_of(name))
        _compare(outline, found.columns, name)


def _by_column(
    kinds: Mapping[str, str], outline: Outline, columns: Mapping[str, Column]
) -> dict[str, str]:
    """Return the kinds by column, because users name columns as their files do."""
    renames = {old: new for split in outline.splits.values() for old, new in split.rename.items()}
    named = {n if n in columns else renames.get(n, n): kind for n, kind in kinds.items()}
    check_columns(named, columns)
    return named


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


def renamed(columns: Sequence[str]) -> dict[str, str]:
    """Return new names for the columns that are not valid manifest keys, by old name."""
    used = {column for column in columns if key(column) == column}
    names: dict[str, str] = {}
    for i, column in enumerate(columns, 1):
        if column not in used:
            default = f"column_{i}" if column else name_of_unnamed(i)
            names[column] = key(column, used, default=default)
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
            values: Iterable[str] = feature.codes or feature.names
            if pa.types.is_integer(columns[column].type) and not feature.codes:
                values = map(str, range(feature.first, feature.first + len(feature.names)))
            split.figures[f"{column}-counts"] = tuple(counts[value] for value in values)
