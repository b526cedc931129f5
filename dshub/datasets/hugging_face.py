"""Create sources from the Arrow data of Hugging Face `datasets`.

Features are converted as follows:

==================================== ====================================================
`Value` of numbers                   number; float16 as float32, copied
`Value` of text, dates, bytes        text, dates, bytes
`ClassLabel`                         label
`Image`, `Audio`                     image, audio: files, decoded when read
`List`, `LargeList`, `Sequence`      list; with a length, number
dict                                 struct
`Array2D` … `Array5D`                number of that shape; a list if the first length varies
==================================== ====================================================
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    is_image_file,
)
from dshub.datasets.decoding import detect_audio
from dshub.datasets.depths import FEW, dtype_of_files
from dshub.datasets.from_memory import check_names, column_of_chunks, conform_chunks
from dshub.datasets.inference import cast_column, cast_type, check_missing, feature_of
from dshub.datasets.selection import Selection
from dshub.datasets.sources import ColumnSource
from dshub.errors import ArgumentError, DshubError, ReadError, SchemaError, needs
from dshub.tables.columns import Column, Values

_HINT = "remove the column with dataset.remove_columns, or cast it with dataset.cast_column"


def library() -> Any:
    """Import the package `datasets`; raise MissingExtraError if it is not installed."""
    with needs("datasets", extra="hf"):
        import datasets
    return datasets


class HuggingFaceSource(ColumnSource):
    """All rows of a `datasets.Dataset`, ignoring its `select` and `shuffle`.

    Pickling this source pickles the `datasets.Dataset`.

    Args:
        dataset: dataset of a single split.
        features: features of columns with an ambiguous type, such as `binary`.
        title: name of the dataset in error messages.
    """

    def __init__(self, dataset: Any, features: Mapping[str, Feature], title: str) -> None:
        self._dataset, self._declared, self._title = dataset, dict(features), title
        columns: dict[str, Column] = {}
        inferred: dict[str, Feature] = {}
        for name, kind in dataset.features.items():
            column = dataset.data.column(name)
            if name in features and is_image_file(features[name]) and _is_image(kind):
                inferred[name] = features[name]
                columns[name] = _FileColumn(_chunks(column), f"{title}, column {name}")
            elif name in features:
                chunks = conform_chunks(_chunks(column), name, features[name], title)
                inferred[name], columns[name] = (
                    features[name],
                    column_of_chunks(chunks, features[name]),
                )
            elif not _is_hidden(kind, column):
                inferred[name], columns[name] = _column(title, name, kind, _chunks(column))
        super().__init__(columns, inferred, int(dataset.data.num_rows))

    def __reduce__(self) -> tuple[type["HuggingFaceSource"], tuple[Any, ...]]:
        return HuggingFaceSource, (self._dataset, self._declared, self._title)

    @cached_property
    def identity(self) -> list[str]:
        return ["huggingface", str(self._dataset._fingerprint)]  # noqa: SLF001  # not public

    def where(self, row: int) -> str:
        return f"{self._title}, row {row}"


def from_hf(
    dataset: Any, features: Mapping[str, Feature] | None, title: str
) -> tuple[HuggingFaceSource, Selection | None]:
    """Create the source of a `datasets.Dataset`, and return it with the selected rows."""
    if not isinstance(dataset, library().Dataset):
        expected = f"a datasets.Dataset (a single split), not a {type(dataset).__name__}"
        raise ArgumentError(name="dataset", value=dataset, expected=expected)
    features = features or {}
    check_names(features, dataset.features, f"{title}, ")
    source = HuggingFaceSource(dataset, features, title)
    indices = dataset._indices  # noqa: SLF001  # set by `select` and `shuffle`
    if indices is None:
        return source, None
    return source, indices.column(0).to_numpy().astype(np.int64)


def _chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    """Return the chunks of a column, or one empty chunk if there are none."""
    return list(column.chunks) or [column.combine_chunks()]


def _is_hidden(kind: Any, column: pa.ChunkedArray) -> bool:
    """Return True if all labels are -1, as in published test splits with hidden labels."""
    if not isinstance(kind, library().ClassLabel) or not len(column):
        return False
    return pc.all(pc.equal(column, -1), skip_nulls=False).as_py() is True


def _column(title: str, name: str, kind: Any, chunks: Sequence[pa.Array]) -> tuple[Feature, Column]:
    datasets, where = library(), f"{title}, column {name}"
    if _is_image(kind):
        images = _FileColumn(chunks, where)
        return ImageFeature(encoding="any", dtype=images.dtype(sum(map(len, chunks)))), images
    if isinstance(kind, datasets.Audio):
        files = _FileColumn(chunks, where)
        if any(map(len, chunks)):
            return detect_audio(files.span(0, 1)[0], f"{where}, row 0"), files
        if kind.sampling_rate is None:
            raise _unsupported(where, "audio of unknown rate, without rows or a `sampling_rate`")
        return AudioFeature(rate=kind.sampling_rate), files
    chunks = [_stored(where, kind, chunk) for chunk in chunks]
    label = _label(kind)
    if label is not None:
        if any(chunk.null_count for chunk in chunks):
            label = msgspec.structs.replace(label, optional=True)
        chunks = conform_chunks(chunks, name, label, title)
        return label, column_of_chunks(chunks, label)
    try:
        feature = feature_of(where, chunks)
    except SchemaError:
        raise _unsupported(where, str(kind)) from None
    return feature, column_of_chunks(chunks, feature)


def _is_image(kind: Any) -> bool:
    return isinstance(kind, library().Image)


def _label(kind: Any) -> LabelFeature | ListFeature | None:
    """Return the feature of classes or of lists of classes, or None."""
    datasets = library()
    if isinstance(kind, datasets.ClassLabel):
        return LabelFeature(names=tuple(kind.names))
    inner = getattr(kind, "feature", None)
    if isinstance(inner, datasets.ClassLabel) and getattr(kind, "length", -1) < 0:
        return ListFeature(of=LabelFeature(names=tuple(inner.names)))
    return None


def _unsupported(where: str, got: str) -> SchemaError:
    expected = "numbers, classes, text, dates, bytes, images, audio, lists or structs"
    return SchemaError(where=where, expected=expected, got=got, hint=_HINT)


def _stored(where: str, kind: Any, chunk: pa.Array) -> pa.Array:
    """Convert extension types of `datasets` to standard Arrow types."""
    if not isinstance(chunk, pa.ExtensionArray):
        return cast_column(chunk)
    if not hasattr(kind, "shape"):
        raise _unsupported(where, str(kind))
    return _fixed_size(where, kind.shape, chunk.storage)


def _fixed_size(where: str, shape: Sequence[int | None], storage: pa.Array) -> pa.Array:
    """Convert the nested lists of an `Array2D` … `Array5D` to fixed-size lists."""
    check_missing(where, [storage])
    kind = cast_type(storage.type)
    for _ in shape:
        kind = kind.value_type
    for length in reversed(shape):
        kind = pa.list_(kind, -1 if length is None else length)
    try:
        return storage.cast(kind)
    except pa.ArrowInvalid as error:
        expected = f"shape {tuple(shape)} in each row"
        raise SchemaError(where=where, expected=expected, got=str(error), hint=_HINT) from error


class _FileColumn:
    """A column of image or audio files, stored as contents or paths.

    Args:
        chunks: arrays of structs with the fields `bytes` and `path`.
        where: description of the column for error messages.
    """

    def __init__(self, chunks: Sequence[pa.Array], where: str) -> None:
        files = [pc.struct_field(chunk, "bytes") for chunk in chunks]
        self._bytes = column_of_chunks(files, ImageFeature(encoding="any"))
        self._paths = pa.chunked_array([pc.struct_field(chunk, "path") for chunk in chunks])
        self._where = where

    def gather(self, rows: np.ndarray) -> Values:
        files = self._bytes.gather(rows)
        return [data or self._read(row) for data, row in zip(files, rows.tolist(), strict=True)]

    def span(self, start: int, stop: int) -> Values:
        return self.gather(np.arange(start, stop))

    def dtype(self, count: int) -> Any:
        """Return the dtype of the pixels of images, from a few of `count` files."""
        rows = np.unique(np.linspace(0, max(count - 1, 0), FEW).astype(np.int64))
        try:
            return dtype_of_files(self.gather(rows[:count]))
        except DshubError:  # reported when the row is read
            return "uint8"

    def _read(self, row: int) -> bytes:
        path, where = self._paths[row].as_py(), f"{self._where}, row {row}"
        if path is None:
            raise SchemaError(where=where, expected="a file", got="none", hint=_HINT)
        try:
            return Path(path).read_bytes()
        except OSError as error:
            reason = f"{path}: {error.strerror or error}"
            raise ReadError(file=where, reason=reason) from error
