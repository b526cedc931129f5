"""Protocol of exporters, the rows they write, and errors for unsupported columns."""

import base64
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

import numpy as np
import pyarrow as pa
from PIL import Image

from dshub._validate import DEVICE
from dshub.catalog.checks import unused
from dshub.catalog.features import (
    AudioFeature,
    DateFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    NumberFeature,
    StructFeature,
    is_encoded,
)
from dshub.catalog.manifest import Pair
from dshub.datasets.audio_files import encoding_of
from dshub.datasets.dataset import Dataset
from dshub.errors import DshubError
from dshub.loading.transforms.transform import Batch
from dshub.tables.missing import item, uses_mask
from dshub.tables.types import arrow_schema, may_miss, row_dtype

if TYPE_CHECKING:
    from dshub.export._stored import Stored

BLOCK_BYTES = 8 << 20  # approximate size of the rows in memory
BLOCK_ROWS = 4096
SAMPLE = 64  # rows that are read to estimate the bytes per row
Columns = Sequence[str | tuple[str, ...]]
"""Names of columns, some of which are grouped, as in a supervised pair."""

_MAX_LENGTH = 100  # characters of a folder name


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a split.

    Attributes:
        dataset: dataset of the split, with images and audio as encoded files.
        title: name of the dataset and split, for errors.
        first: number of the first row in the split.
        count: number of rows.
        block: number of rows to hold in memory.
        advance: callback for progress, called with the number of rows in each written block.
    """

    dataset: Dataset
    title: str
    first: int
    count: int
    block: int
    advance: Callable[[int], object] = int

    @property
    def features(self) -> dict[str, Feature]:
        """Features by column name, in column order."""
        return self.dataset.features

    @property
    def supervised(self) -> Pair | None:
        """Pair of columns for `(x, y)`, or None."""
        return self.dataset.supervised

    def blocks(self) -> Iterator[tuple[int, Dataset]]:
        """Yield blocks of rows, each with the number of its first row."""
        for start in range(self.first, self.first + self.count, self.block):
            length = min(self.block, self.first + self.count - start)
            yield start, self.dataset.skip(start).take(length)
            self.advance(length)

    def batches(self) -> Iterator[tuple[int, Batch]]:
        """Yield blocks of rows as columns, each with the number of its first row.

        Numbers and raw images are arrays (rows, …). Text is a list of `str`, and files are a list
        of `bytes`. Lists are lists of arrays or of lists of `str`.
        """
        for start, block in self.blocks():
            yield start, block[:]

    def each(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each row with its number in the split."""
        for start, batch in self.batches():
            for number, values in enumerate(zip(*batch.values(), strict=True), start):
                yield number, dict(zip(batch, values, strict=True))


class Exporter(Protocol):
    """Protocol of export formats; the module of a format defines an instance as `exporter`.

    Attributes:
        kind: `shards` of similar size, `one` file per split, a `folder` of many files, or one
            `joined` file of all splits.
        suffixes: file suffixes of a shard, with the main file last; empty for a folder.
        subfolder: folder of the files in the output folder, or empty.
        revision: version of the output, which increases when the same rows give different bytes.
    """

    kind: Literal["shards", "one", "folder", "joined"] = "shards"
    suffixes: tuple[str, ...] = ()
    subfolder: str = ""
    revision: int = 1

    def check(self, rows: Rows) -> None:  # noqa: ARG002  # for subclasses
        """Check that the format can hold a split, before anything is written.

        Raises:
            DshubError: the format cannot hold a column; see `refuse`.
        """
        return

    def prepare(self, dest: Path) -> None:  # noqa: ARG002  # for subclasses
        """Check or change the output folder before the first file is written."""
        return

    def usage(self, dest: Path) -> str:  # noqa: ARG002  # for subclasses
        """Return a line that explains how to use the finished export, or an empty string."""
        return ""

    def join(
        self,
        path: Path,  # noqa: ARG002  # for subclasses
        name: str,  # noqa: ARG002
        splits: Mapping[str, Rows],  # noqa: ARG002
    ) -> None:
        """Write all splits to one file, if the kind is `joined`.

        Args:
            path: path of the file, without its suffix, in a folder for temporary files.
            name: name of the file, without its suffix.
            splits: rows by the name of the split in file names.

        Raises:
            DshubError: the format cannot hold a row.
            OSError: the file cannot be written; `export` converts this error.
        """
        return

    def stored(
        self,
        features: Mapping[str, Feature],  # noqa: ARG002  # for subclasses
        supervised: Columns,  # noqa: ARG002
    ) -> "Stored | None":
        """Return how dshub reads the files, or None if it needs to look at them.

        Args:
            features: features of the exported columns.
            supervised: names of the supervised pair, or nothing.
        """
        return None

    def write(self, path: Path, rows: Rows) -> None:  # noqa: ARG002  # for subclasses
        """Write rows to files named `path` with each suffix, or to files in the folder `path`.

        Raises:
            DshubError: the format cannot hold a row.
            OSError: a file cannot be written; `export` converts this error.
        """
        return


def row_size(dataset: Dataset) -> int:
    """Estimate the bytes per row, at least 1, from rows spread over the dataset."""
    if not len(dataset):
        return 1
    places = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(np.int64))
    size: int = dataset.select(places).arrow().nbytes
    return max(1, round(size / len(places)))


_SUFFIXES = {  # file suffix by first bytes
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG": "png",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
}


def is_file(feature: Feature) -> bool:
    """Return True for encoded images, audio, and pixels that fit into a PNG file."""
    if is_encoded(feature):
        return True
    if isinstance(feature, MaskFeature):
        return feature.dtype in {"uint8", "uint16"}
    if not isinstance(feature, ImageFeature):
        return False
    channels = feature.shape[2:]
    return (feature.dtype == "uint8" and channels in {(1,), (3,), (4,)}) or (
        feature.dtype == "uint16" and channels == (1,)
    )


def as_file(value: bytes | np.ndarray) -> bytes:
    """Return an encoded file unchanged, or encode pixels as PNG.

    Args:
        value: file; or pixels (height, width) or (height, width, channels) that `is_file` accepts.
    """
    if isinstance(value, bytes):
        return value
    sink = io.BytesIO()
    Image.fromarray(value[:, :, 0] if value.shape[2:] == (1,) else value).save(sink, "PNG")
    return sink.getvalue()


def suffix_of(data: bytes) -> str:
    """Return a file name suffix that matches the content of a file."""
    encoding = encoding_of(data[:12])
    if encoding is not None:
        return encoding
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((suffix for magic, suffix in _SUFFIXES.items() if data.startswith(magic)), "bin")


def json_text(rows: Rows, number: int, row: Mapping[str, Any]) -> str:
    """Convert plain values of a row to JSON.

    Raises:
        DshubError: a value is infinite, which JSON cannot represent.
    """
    try:
        return _ENCODE(row)
    except ValueError as error:
        name = next(name for name, value in row.items() if _has_infinity(value))
        raise DshubError(
            f"{rows.title}, row {number}, column {name}: JSON cannot represent an infinite number",
            hint="export to parquet, arrow or npz",
        ) from error


_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _has_infinity(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return any(map(_has_infinity, value)) if isinstance(value, list) else value in _INFINITE


_INFINITE = (math.inf, -math.inf)


def kind_of(feature: Feature) -> str:
    """Return a word for the content of a column, such as `images`."""
    if isinstance(feature, NumberFeature):
        return "arrays" if feature.shape else "numbers"
    kind = str(type(feature).__struct_config__.tag)
    return {"box": "boxes"}.get(kind, kind if kind in {"audio", "text", "bytes"} else f"{kind}s")


def json_value(value: Any, feature: Feature) -> Any:  # noqa: PLR0911  # a case each
    """Convert a value of a row for JSON.

    Labels become names, dates ISO 8601, bytes base64, and NaN and missing values None.
    """
    if is_missing(value, feature):
        return None
    match feature:
        case ListFeature():
            return [json_value(one, feature.of) for one in value]
        case StructFeature():
            return {name: json_value(value[name], of) for name, of in feature.fields.items()}
        case LabelFeature():
            return feature.names[value]
        case DateFeature():
            return date_text(value, feature)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _json_number(value)


def is_missing(value: Any, feature: Feature) -> bool:
    """Return True for a missing value of a row; NaN is a value."""
    if isinstance(feature, ListFeature):  # can have missing items
        return value is None
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return item(value) is None


def date_text(value: Any, feature: DateFeature) -> str:
    """Return a date in ISO 8601; times that have a time zone are in UTC."""
    return f"{value}Z" if feature.timezone else str(value)


def _json_number(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype == np.float32:  # keep only the digits that float32 needs
            value = np.asarray(value).astype(str).astype(np.float64)
        value = value.tolist()
    if isinstance(value, list):
        return [_json_number(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def refuse_missing(rows: Rows) -> None:
    """Refuse optional columns whose missing values a format cannot mark; NaN and NaT are values."""
    for name, feature in rows.features.items():
        dtype = row_dtype(feature)
        if may_miss(feature) and (dtype is None or uses_mask(dtype)):
            refuse(rows, name, "can have missing values, which this format cannot hold")


def refuse_structs(rows: Rows) -> None:
    """Refuse structs, lists of structs and lists of lists."""
    for name, feature in rows.features.items():
        of = feature.of if isinstance(feature, ListFeature) else feature
        nested = isinstance(feature, ListFeature) and isinstance(of, ListFeature)
        if nested or isinstance(of, StructFeature):
            refuse(rows, name, "holds nested values, which this format cannot")


def refuse(rows: Rows, name: str, reason: str) -> NoReturn:
    """Raise the error for a column that a format cannot hold.

    Args:
        rows: the rows to export.
        name: name of the column.
        reason: reason in the error, such as `holds images, which CSV cannot`.

    Raises:
        DshubError: always.
    """
    remaining = [column for column in rows.features if column != name]
    leave = f"leave it out with --columns {','.join(remaining)}, or " if remaining else ""
    raise DshubError(
        f"{rows.title}: column {name} {reason}",
        hint=f"{leave}choose another format, such as parquet",
    )


def labels(rows: Rows) -> list[str]:
    """Return the label columns, in order."""
    return [name for name, item in rows.features.items() if isinstance(item, LabelFeature)]


def content_and_label(
    rows: Rows, accepts: Callable[[Feature], bool], limit: str
) -> tuple[str, str | None]:
    """Find the columns of a format that holds one content and one label per row.

    Args:
        rows: the rows to export.
        accepts: function that returns True if a column can be the content.
        limit: description of what the format holds, for errors.

    Raises:
        DshubError: there is any other column, no column for the content, or an optional column.
    """
    refuse_missing(rows)
    contents = [name for name, feature in rows.features.items() if accepts(feature)]
    selected = contents[:1] + labels(rows)[:1]
    for name, feature in rows.features.items():
        if name not in selected:
            refuse(rows, name, f"holds {kind_of(feature)}; {limit}")
    if not contents:
        raise DshubError(
            f"{rows.title}: no column fits this format; {limit}",
            hint="choose another format, such as parquet",
        )
    return contents[0], selected[1] if len(selected) > 1 else None


def folder_names(classes: Sequence[str]) -> list[str]:
    """Return a folder name for each class, valid and distinct on every file system."""
    folders: list[str] = []
    taken: set[str] = set()
    for name in classes:
        plain = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f]', "_", name)[:_MAX_LENGTH].strip(" .") or "_"
        if DEVICE.fullmatch(plain):
            plain += "_"
        folded = unused(plain.casefold(), taken, "_")
        taken.add(folded)
        folders.append(plain + folded.removeprefix(plain.casefold()))
    return folders


_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def schema_of(features: Mapping[str, Feature]) -> pa.Schema:
    """Return the Arrow schema of columns, with files as in Hugging Face `datasets`."""
    schema = arrow_schema(features)
    info = json.loads(schema.metadata[b"huggingface"])
    for i, (name, feature) in enumerate(features.items()):
        if is_encoded(feature):
            schema = schema.set(i, pa.field(name, _FILE))
            info["info"]["features"][name] = (
                {"sampling_rate": feature.rate or None, "_type": "Audio"}
                if isinstance(feature, AudioFeature)
                else {"_type": "Image"}
            )
    return schema.with_metadata({"huggingface": json.dumps(info, sort_keys=True)})


def tables(rows: Rows) -> Iterator[pa.Table]:
    """Yield blocks of rows as Arrow tables with one chunk per column."""
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
