"""Rows of a shard for exporters, and what they refuse.

The rows of a shard, handed out in blocks as they are kept.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import numpy as np
import pyarrow as pa
from PIL import Image

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
    is_encoded,
)
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError
from dshub.loading.transforms.transform import Batch
from dshub.tables.types import arrow_schema, row_dtype

BLOCK_BYTES = 8 << 20  # of rows that are in memory at a time, about
BLOCK_ROWS = 4096
SAMPLE = 64  # rows that are looked at to know how large they are


@dataclass(frozen=True)
class Rows:
    """Rows side by side of a split.

    Attributes:
        dataset: the split, whose pictures and recordings are files where they are kept so.
        title: dataset and split, for errors.
        first: number of the first of these rows in the split.
        count: how many they are.
        block: how many are handed out at a time.
        advance: told how many rows are done.
    """

    dataset: Dataset
    title: str
    first: int
    count: int
    block: int
    advance: Callable[[int], object] = int

    @property
    def features(self) -> dict[str, Feature]:
        """The columns in order, and what each holds."""
        return self.dataset.features

    @property
    def supervised(self) -> tuple[str, str] | None:
        """The columns that `(x, y)` means."""
        return self.dataset.supervised

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """The number of a first row, and columns of it and those behind it.

        Numbers are arrays (rows, …), raw pictures too; text is a list of `str`, files one of
        `bytes`, lists one of arrays or of lists of `str`.
        """
        for start in range(self.first, self.first + self.count, self.block):
            stop = min(start + self.block, self.first + self.count)
            yield start, self.dataset[start:stop]
            self.advance(stop - start)

    def each(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The rows one by one, with their numbers in the split."""
        names = list(self.features)
        for start, batch in self.batches():
            for number, values in enumerate(zip(*batch.values(), strict=True), start):
                yield number, dict(zip(names, values, strict=True))


def row_size(dataset: Dataset) -> int:
    """Bytes of a row, about: the mean of a few that are spread over the dataset; at least 1."""
    if not len(dataset):
        return 1
    places = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(np.int64))
    total = sum(_size(values[0]) for at in places for values in dataset[[int(at)]].values())
    return max(1, round(total / len(places)))


def block_of(size: int) -> int:
    """How many rows of some bytes are handed out at a time."""
    return min(max(BLOCK_BYTES // size, 1), BLOCK_ROWS)


def _size(value: Any) -> int:
    if isinstance(value, np.ndarray | np.generic):
        return value.nbytes
    if isinstance(value, str):
        return len(value.encode()) + 4
    if isinstance(value, bytes):
        return len(value) + 4
    return sum(map(_size, value)) + 4


_ENDINGS = {  # how each kind of file begins, as its own format says
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG": "png",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
    b"fLaC": "flac",
}


def is_picture(feature: Feature) -> bool:
    """Whether a column can be written as files of pictures: kept so, or what PNG can hold."""
    if not isinstance(feature, ImageFeature):
        return False
    raw = feature.dtype == "uint8" and feature.shape[2:] in {(1,), (3,), (4,)}
    return feature.encoding != "raw" or raw


def is_file(feature: Feature) -> bool:
    """Whether a column can be written as files."""
    return is_picture(feature) or isinstance(feature, AudioFeature)


def as_file(value: bytes | np.ndarray) -> bytes:
    """The file of a row: as it is kept, or a PNG of raw pixels, (height, width, 1, 3 or 4)."""
    if isinstance(value, bytes):
        return value
    sink = io.BytesIO()
    Image.fromarray(value[:, :, 0] if value.shape[2] == 1 else value).save(sink, "PNG")
    return sink.getvalue()


def ending(data: bytes) -> str:
    """How the name of a file ends, told by its content."""
    if data[:4] == b"RIFF":
        return "webp" if data[8:12] == b"WEBP" else "wav"
    found = (name for start, name in _ENDINGS.items() if data.startswith(start))
    return next(found, "bin")


def files_of(values: object) -> list[bytes]:
    """The files of a column of a block."""
    return [as_file(value) for value in cast("list[bytes]", values)]


_KINDS: dict[type[Feature], str] = {
    ImageFeature: "pictures",
    AudioFeature: "recordings",
    LabelFeature: "classes",
    ListFeature: "lists",
    TextFeature: "text",
}


def kind_of(feature: Feature) -> str:
    """What a column holds, in a word."""
    if isinstance(feature, NumberFeature):
        return "arrays" if feature.shape else "numbers"
    return _KINDS[type(feature)]


def refuse(rows: Rows, name: str, reason: str) -> NoReturn:
    """Raise the error for a column that a format cannot hold.

    Args:
        rows: what is exported.
        name: of the column.
        reason: `holds pictures, which CSV cannot`.

    Raises:
        DshubError: always.
    """
    kept = [other for other in rows.features if other != name]
    leave = f"leave it out with --columns {','.join(kept)}; or " if kept else ""
    raise DshubError(
        f"{rows.title}: column {name} {reason}",
        hint=f"{leave}choose another format, such as parquet",
    )


def chosen(rows: Rows, kinds: tuple[type[Feature], ...]) -> list[str]:
    """The columns of some kinds, in order."""
    return [name for name, feature in rows.features.items() if isinstance(feature, kinds)]


_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def schema_of(features: Mapping[str, Feature]) -> pa.Schema:
    """The Arrow schema of some columns."""
    schema = arrow_schema(features)
    info = json.loads(schema.metadata[b"huggingface"])
    fields = []
    for field in schema:
        feature = features[field.name]
        if is_encoded(feature):
            field = pa.field(field.name, _FILE)  # noqa: PLW2901  # the same one, of another type
            info["info"]["features"][field.name] = _described(feature)
        fields.append(field)
    return pa.schema(fields, metadata={"huggingface": json.dumps(info, sort_keys=True)})


def _described(feature: Feature) -> dict[str, Any]:
    """A column of files in the words of `datasets.Features.to_dict`."""
    if isinstance(feature, AudioFeature):
        return {"sampling_rate": feature.rate, "_type": "Audio"}
    return {"_type": "Image"}


def record_batch(features: Mapping[str, Feature], batch: Batch) -> pa.RecordBatch:
    """A block of rows."""
    arrays = [_array(feature, batch[name]) for name, feature in features.items()]
    return pa.RecordBatch.from_arrays(arrays, schema=schema_of(features))


def _array(feature: Feature, values: Any) -> pa.Array:
    """A column of a block, of the type that `schema_of` says."""
    if is_encoded(feature):
        files = pa.array(values, pa.binary())
        return pa.StructArray.from_arrays(
            [files, pa.nulls(len(files), pa.string())], fields=[*_FILE]
        )
    if isinstance(feature, ListFeature):
        ends = np.cumsum([0, *map(len, values)]).astype(np.int32)
        return pa.ListArray.from_arrays(
            pa.array(ends), _array(feature.of, _joined(feature, values))
        )
    if isinstance(values, list):
        return pa.array(values, pa.string())
    numbers = cast("np.ndarray", values)
    array = pa.array(np.ascontiguousarray(numbers).reshape(-1))
    for length in () if isinstance(feature, LabelFeature) else reversed(numbers.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, length)
    return array


def _joined(feature: ListFeature, values: list[Any]) -> Any:
    """The values of all lists, one behind the other."""
    dtype = row_dtype(feature.of)
    if dtype is None:
        return [value for row in values for value in row]
    if values:
        return np.concatenate(values)
    return np.empty((0, *getattr(feature.of, "shape", ())), dtype)
