"""Exporters, the rows they write, and errors for columns they cannot hold."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
import pyarrow as pa
from PIL import Image

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    NumberFeature,
    is_encoded,
)
from dshub.catalog.manifest import Pair
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError
from dshub.loading.transforms.transform import Batch
from dshub.tables.types import arrow_schema

BLOCK_BYTES = 8 << 20  # approximate size of the rows in memory at a time
BLOCK_ROWS = 4096
SAMPLE = 64  # rows that are read to estimate the size of all


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a split.

    Attributes:
        dataset: the split, with encoded images and audio as files.
        title: dataset and split, for errors.
        first: number of the first of these rows in the split.
        count: number of rows.
        block: rows in memory at a time.
        advance: called with the number of rows that are done.
    """

    dataset: Dataset
    title: str
    first: int
    count: int
    block: int
    advance: Callable[[int], object] = int

    @property
    def features(self) -> dict[str, Feature]:
        """The feature of each column, in order."""
        return self.dataset.features

    @property
    def supervised(self) -> Pair | None:
        """The columns of `(x, y)`."""
        return self.dataset.supervised

    def blocks(self) -> Iterator[tuple[int, Dataset]]:
        """Yield blocks of rows, each with the number of its first row."""
        for start in range(self.first, self.first + self.count, self.block):
            length = min(self.block, self.first + self.count - start)
            yield start, self.dataset.skip(start).take(length)
            self.advance(length)

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """Yield blocks of rows as columns, each with the number of its first row.

        Numbers and raw images are arrays (rows, …); text is a list of `str`, files a list of
        `bytes`, lists are lists of arrays or of lists of `str`.
        """
        for start, block in self.blocks():
            yield start, block[:]

    def each(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield single rows with their numbers in the split."""
        for start, batch in self.batches():
            for number, values in enumerate(zip(*batch.values(), strict=True), start):
                yield number, dict(zip(batch, values, strict=True))


class Exporter(Protocol):
    """A format's file has an instance of it as `exporter`.

    Attributes:
        kind: `shards` of about one size, `one` file for a split, or a `folder` of many files.
        suffixes: of the files of a shard, the most important one last; none for a folder.
        revision: raised when the same rows would give other bytes.
    """

    kind: Literal["shards", "one", "folder"] = "shards"
    suffixes: tuple[str, ...] = ()
    revision: int = 1

    def check(self, rows: Rows) -> None:  # noqa: ARG002  # for subclasses
        """Refuse a split that the format cannot hold, before anything is written.

        Raises:
            DshubError: names the column, and what to do; see `refuse`.
        """
        return

    def write(self, path: Path, rows: Rows) -> None:
        """Write rows to files named `path` with each suffix, or to files in the folder `path`.

        Raises:
            DshubError: the format cannot hold a row.
            OSError: from the system; `export` translates it.
        """


def row_size(dataset: Dataset) -> int:
    """Estimate the bytes of a row, at least 1, from rows spread over the dataset."""
    if not len(dataset):
        return 1
    places = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(np.int64))
    size: int = dataset.select(places).arrow().nbytes
    return max(1, round(size / len(places)))


_SUFFIXES = {  # by the first bytes of a file
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG": "png",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
    b"fLaC": "flac",
}


def is_file(feature: Feature) -> bool:
    """Check if a column can be written as files: encoded images, audio, or pixels for PNG."""
    if not isinstance(feature, ImageFeature):
        return isinstance(feature, AudioFeature)
    fits_png = feature.dtype == "uint8" and feature.shape[2:] in {(1,), (3,), (4,)}
    return feature.encoding != "raw" or fits_png


def as_file(value: bytes | np.ndarray) -> bytes:
    """Return an encoded file unchanged, and raw pixels (height, width, 1, 3 or 4) as PNG."""
    if isinstance(value, bytes):
        return value
    sink = io.BytesIO()
    Image.fromarray(value[:, :, 0] if value.shape[2] == 1 else value).save(sink, "PNG")
    return sink.getvalue()


def suffix_of(data: bytes) -> str:
    """Return the file name suffix for the content of a file."""
    if data[:4] == b"RIFF":
        return "webp" if data[8:12] == b"WEBP" else "wav"
    return next((suffix for magic, suffix in _SUFFIXES.items() if data.startswith(magic)), "bin")


def kind_of(feature: Feature) -> str:
    """Return the content of a column in a word."""
    if isinstance(feature, NumberFeature):
        return "arrays" if feature.shape else "numbers"
    kind = str(type(feature).__struct_config__.tag)
    return kind if kind in {"audio", "text"} else f"{kind}s"


def refuse(rows: Rows, name: str, reason: str) -> NoReturn:
    """Raise the error for a column that a format cannot hold.

    Args:
        rows: the rows to export.
        name: of the column.
        reason: such as `holds images, which CSV cannot`.

    Raises:
        DshubError: always.
    """
    kept = [other for other in rows.features if other != name]
    leave = f"leave it out with --columns {','.join(kept)}; or " if kept else ""
    raise DshubError(
        f"{rows.title}: column {name} {reason}",
        hint=f"{leave}choose another format, such as parquet",
    )


def labels(rows: Rows) -> list[str]:
    """Return the columns of labels, in order."""
    return [name for name, item in rows.features.items() if isinstance(item, LabelFeature)]


def content_and_label(
    rows: Rows, accepts: Callable[[Feature], bool], limit: str
) -> tuple[str, str | None]:
    """Find the columns for a format that holds one content and one label.

    Args:
        rows: the rows to export.
        accepts: whether a column can be the content.
        limit: what the format holds, for errors.

    Raises:
        DshubError: there is another column, or no content.
    """
    contents = [name for name, feature in rows.features.items() if accepts(feature)]
    chosen = contents[:1] + labels(rows)[:1]
    for name, feature in rows.features.items():
        if name not in chosen:
            refuse(rows, name, f"holds {kind_of(feature)}; {limit}")
    if not contents:
        raise DshubError(f"{rows.title}: no column has content for this format: {limit}")
    return contents[0], chosen[1] if len(chosen) > 1 else None


_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def schema_of(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the Arrow schema of columns; files are as in Hugging Face `datasets`."""
    schema = arrow_schema(features)
    info = json.loads(schema.metadata[b"huggingface"])
    for i, (name, feature) in enumerate(features.items()):
        if is_encoded(feature):
            schema = schema.set(i, pa.field(name, _FILE))
            info["info"]["features"][name] = (
                {"sampling_rate": feature.rate, "_type": "Audio"}
                if isinstance(feature, AudioFeature)
                else {"_type": "Image"}
            )
    return schema.with_metadata({"huggingface": json.dumps(info, sort_keys=True)})


def tables(rows: Rows) -> Iterator[pa.Table]:
    """Yield blocks of rows as Arrow tables of one chunk."""
    schema, plain = schema_of(rows.features), arrow_schema(rows.features)
    for _, block in rows.blocks():
        table = block.arrow().cast(plain).combine_chunks()
        columns = [
            _with_path(column.chunk(0)) if field.type == _FILE else column
            for field, column in zip(schema, table.columns, strict=True)
        ]
        yield pa.Table.from_arrays(columns, schema=schema)


def _with_path(files: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([files, pa.nulls(len(files), pa.string())], fields=[*_FILE])
