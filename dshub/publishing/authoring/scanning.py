"""Scan every row, and the headers of images and audio.

What the beginning of a picture or of a recording says of it.
"""

import io
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from dshub import formats
from dshub.catalog.features import LabelFeature
from dshub.datasets import images
from dshub.errors import DshubError, ReadError
from dshub.progress import Progress, Task
from dshub.publishing.authoring.columns import Column, Wishes, class_counts, guess
from dshub.publishing.authoring.outline import Outline, SplitOutline
from dshub.publishing.authoring.survey import Entry, key

_TURNED = range(5, 9)  # orientations of EXIF in which width and height change places


@dataclass(frozen=True)
class Picture:
    """A picture: `encoding` is a feature's, `shape` height, width and channels, 1 or 3."""

    encoding: str
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Recording:
    """A recording: samples a second, and channels."""

    encoding: str
    rate: int
    channels: int


def picture(entry: Entry) -> Picture:
    """What a picture is; raises ReadError where it cannot be read to its last row.

    A JPEG is decoded at an eighth of its size, which its codec does in a third of the time.
    """
    from PIL import Image, UnidentifiedImageError

    with ExitStack() as stack:
        if entry.file.member:
            stream: BinaryIO = io.BytesIO(stack.enter_context(entry.file.open()).read())
        else:
            stream = stack.enter_context(entry.path.open("rb"))
        size = stream.seek(0, io.SEEK_END)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large ones are welcome
        try:
            opened = stack.enter_context(images.open_image(stream, size))
            width, height = opened.size
            opened.draft(None, (1, 1))
            images.load(opened, stream)
        except UnidentifiedImageError:
            reason = f"it is no picture of a kind that dshub reads: {', '.join(images.formats())}"
            raise ReadError(file=entry.file.name, reason=reason) from None
        except Exception as error:  # on damaged bytes, Pillow raises whatever it meets
            reason = f"it is no picture that can be read: {str(error) or type(error).__name__}"
            raise ReadError(file=entry.file.name, reason=reason) from error
        if images.orientation(opened) in _TURNED:
            width, height = height, width
        channels = 1 if opened.mode in {"1", "L", "I", "I;16", "F"} else 3
        form = (opened.format or "").lower()
    return Picture(form if form in {"jpeg", "png"} else "any", (height, width, channels))


def recording(entry: Entry) -> Recording:
    """What a recording's header says: of WAV its `fmt ` chunk, of FLAC its STREAMINFO (RFC 9639).

    Raises:
        ReadError: it is neither.
    """
    head = entry.head()
    if head[:4] == b"fLaC" and len(head) >= 21:
        packed = int.from_bytes(head[18:21], "big")
        return Recording("flac", packed >> 4, (packed >> 1 & 7) + 1)
    place = 12
    while head[:4] == b"RIFF" and head[8:12] == b"WAVE" and place + 16 <= len(head):
        name, length = struct.unpack_from("<4sI", head, place)
        if name == b"fmt ":
            _, channels, rate = struct.unpack_from("<HHI", head, place + 8)
            return Recording("wav", rate, channels)
        place += 8 + length + length % 2
    raise ReadError(file=entry.file.name, reason="it is neither WAV nor FLAC")


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
    for batch in formats.create(split.reader).read(files):
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
