"""Datasets of Hugging Face's `datasets` as a source, over the same Arrow data.

What its features mean here:

==================================== ====================================================
`Value` of numbers                   number; bool as uint8 and float16 as float32, copied
`Value` of text                      text
`ClassLabel`                         label
`Image`, `Audio`                     image, audio: kept as files, decoded when read
`List`, `LargeList`, `Sequence`      list of numbers, classes or text; with a length, number
`Array2D` … `Array5D`                number of that shape; a list where the first length varies
==================================== ====================================================
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, ListFeature
from dshub.catalog.manifest import Manifest
from dshub.datasets.decoding import recording_feature
from dshub.datasets.from_memory import check_holes, chunked, conformed, damaged, told_by
from dshub.datasets.selection import Picked, Selection
from dshub.errors import ArgumentError, MissingExtraError, ReadError, SchemaError
from dshub.tables.columns import ChunkedColumn, Column, Values, column_of

_HINT = "leave the column out with dataset.remove_columns, or cast it with dataset.cast_column"
_CAST = {  # types that no feature has, and those that hold the same
    pa.bool_(): pa.uint8(),
    pa.float16(): pa.float32(),
    pa.string_view(): pa.large_string(),
    pa.binary_view(): pa.large_binary(),
}


def library() -> Any:
    """The package `datasets`; raises MissingExtraError."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(package="datasets", extra="hf") from error
    return datasets


class HuggingFaceSource:
    """The rows of a `datasets.Dataset`, before any selection of it. Pickles as that does.

    Args:
        dataset: one split.
        given: what columns hold that it says nothing of.
        title: of the dataset, for errors.
    """

    manifest: Manifest | None = None
    files: Sequence[Path] = ()

    def __init__(self, dataset: Any, given: Mapping[str, Feature], title: str) -> None:
        self._dataset, self._given, self._title = dataset, dict(given), title

    def __reduce__(self) -> tuple[type["HuggingFaceSource"], tuple[Any, ...]]:
        return HuggingFaceSource, (self._dataset, self._given, self._title)

    @cached_property
    def _columns(self) -> dict[str, tuple[Feature, Column]]:
        found: dict[str, tuple[Feature, Column]] = {}
        for name, kind in self._dataset.features.items():
            chunks = _chunks(self._dataset.data.column(name))
            where = f"{self._title}, column {name}"
            if name in self._given:
                feature = self._given[name]
                made = conformed(chunks, name, feature, self._title)
                found[name] = feature, chunked(made, feature)
            elif not _is_hidden(kind, chunks):
                found[name] = _column(where, kind, chunks)
        return found

    @cached_property
    def features(self) -> Mapping[str, Feature]:
        return {name: feature for name, (feature, _) in self._columns.items()}

    @property
    def rows(self) -> int:
        return int(self._dataset.data.num_rows)

    @property
    def identity(self) -> list[str]:
        return ["huggingface", str(self._dataset._fingerprint)]  # noqa: SLF001  # it has no other

    def where(self, row: int) -> str:
        return f"{self._title}, row {row}"

    def gather(self, name: str, rows: np.ndarray) -> Values:
        return self._columns[name][1].gather(rows)

    def whole(self, name: str) -> None:
        """Never in one piece."""

    def arrow(self, name: str) -> None:
        """Not in the types of features."""

    def span(self, name: str, start: int, stop: int) -> Values:
        return self._columns[name][1].span(start, stop)


def from_hf(
    dataset: Any, features: Mapping[str, Feature] | None, title: str
) -> tuple[HuggingFaceSource, None, Selection | None]:
    """The source of a dataset, and which of its rows are meant; see `Dataset.from_hf`."""
    if not isinstance(dataset, library().Dataset):
        expected = f"a datasets.Dataset, which is one split, not a {type(dataset).__name__}"
        raise ArgumentError(name="dataset", value=dataset, expected=expected)
    given = features or {}
    for name in given:
        if name not in dataset.features:
            expected = "a column of that name"
            raise SchemaError(where=f"{title}, column {name}", expected=expected, got="none")
    source = HuggingFaceSource(dataset, given, title)
    chosen = dataset._indices  # noqa: SLF001  # `select` and `shuffle` leave the data as they are
    if chosen is None:
        return source, None, None
    return source, None, Picked(chosen.column(0).to_numpy().astype(np.int64))


def _chunks(column: pa.ChunkedArray) -> list[pa.Array]:
    """The pieces of a column; one without rows where there are none."""
    kind = column.type
    if column.num_chunks:
        return list(column.chunks)
    if isinstance(kind, pa.ExtensionType):
        return [pa.ExtensionArray.from_storage(kind, pa.array([], kind.storage_type))]
    return [pa.array([], kind)]


def _is_hidden(kind: Any, chunks: Sequence[pa.Array]) -> bool:
    """Whether a column of classes has none: published test splits hold -1 in their place."""
    if not isinstance(kind, library().ClassLabel) or not any(map(len, chunks)):
        return False
    return all(not chunk.null_count and (np.asarray(chunk) == -1).all() for chunk in chunks)


def _column(where: str, kind: Any, chunks: Sequence[pa.Array]) -> tuple[Feature, Column]:
    """A column and what it holds."""
    datasets = library()
    if isinstance(kind, datasets.Image):
        return ImageFeature(encoding="any"), _files(where, chunks)
    if isinstance(kind, datasets.Audio):
        files = _files(where, chunks)
        if any(map(len, chunks)):
            return recording_feature(files.span(0, 1)[0], f"{where}, row 0"), files
        if kind.sampling_rate is None:
            raise _unmapped(where, "recordings, but no row to tell their rate by")
        return AudioFeature(rate=kind.sampling_rate), files
    made = [_plain(where, kind, chunk) for chunk in chunks]
    check_holes(where, made)
    feature = _feature(where, kind, made[0].type)
    classes = feature.of if isinstance(feature, ListFeature) else feature
    if isinstance(classes, LabelFeature):
        _check_classes(where, classes, made)
    return feature, chunked(made, feature)


def _feature(where: str, kind: Any, arrow: pa.DataType) -> Feature:
    datasets = library()
    if isinstance(kind, datasets.ClassLabel):
        return LabelFeature(names=tuple(kind.names))
    inner = getattr(kind, "feature", None)
    if isinstance(inner, datasets.ClassLabel) and getattr(kind, "length", -1) < 0:
        return ListFeature(of=LabelFeature(names=tuple(inner.names)))
    try:
        return told_by(where, arrow)
    except SchemaError:
        raise _unmapped(where, str(kind)) from None


def _unmapped(where: str, got: str) -> SchemaError:
    expected = "numbers, classes, text, pictures, recordings, or lists"
    return SchemaError(where=where, expected=expected, got=got, hint=_HINT)


def _plain(where: str, kind: Any, chunk: pa.Array) -> pa.Array:
    """A chunk without what Arrow knows only together with `datasets`."""
    if isinstance(chunk, pa.ExtensionArray):
        if not hasattr(kind, "shape"):
            raise _unmapped(where, str(kind))
        return _nested(where, kind.shape, chunk.storage)
    wanted = _castable(chunk.type)
    return chunk if wanted == chunk.type else chunk.cast(wanted)


def _castable(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_castable(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_castable(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_castable(kind.value_type), kind.list_size)
    return _CAST.get(kind, kind)


def _nested(where: str, shape: Sequence[int | None], storage: pa.Array) -> pa.Array:
    """An `Array2D` … `Array5D`, which is kept as nested lists, with lists of fixed sizes."""
    check_holes(where, [storage])
    varies = shape[0] is None
    lengths = [length for length in shape if length is not None]
    flat = storage
    for _ in shape:
        flat = flat.flatten()
    rows = storage.flatten() if varies else storage
    if len(flat) != len(rows) * prod(lengths):
        expected = f"{'x'.join(map(str, lengths))} values"
        raise SchemaError(where=where, expected=expected, got="others", hint=_HINT)
    made = _plain(where, None, flat)
    for length in reversed(lengths):
        made = pa.FixedSizeListArray.from_arrays(made, length)
    if not varies:
        return made
    offsets = np.asarray(storage.offsets)
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0], pa.int32()), made)


def _check_classes(where: str, feature: LabelFeature, chunks: Sequence[pa.Array]) -> None:
    """Every number is one of a class."""
    for chunk in chunks:
        nested = pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type)
        numbers = np.asarray(chunk.flatten() if nested else chunk)
        wrong = numbers[(numbers < 0) | (numbers >= len(feature.names))]
        if len(wrong):
            expected = f"classes from 0 to {len(feature.names) - 1}"
            raise SchemaError(where=where, expected=expected, got=str(wrong[0]), hint=_HINT)


class _FileColumn:
    """Pictures or recordings: their bytes, or the paths where they lie.

    Args:
        chunk: struct of `bytes` and `path`.
        where: the column, for errors.
        first: number of its first row.
    """

    def __init__(self, chunk: pa.Array, where: str, first: int) -> None:
        names = [chunk.type.field(i).name for i in range(chunk.type.num_fields)]
        fields = dict(zip(names, chunk.flatten(), strict=True))
        self._paths, self._where, self._first = fields["path"], where, first
        self._bytes = column_of(fields["bytes"], ImageFeature(encoding="any"), damaged)

    def gather(self, rows: np.ndarray) -> Values:
        found = self._bytes.gather(rows)
        return [data or self._read(row) for data, row in zip(found, rows.tolist(), strict=True)]

    def span(self, start: int, stop: int) -> Values:
        return self.gather(np.arange(start, stop))

    def _read(self, row: int) -> bytes:
        path = self._paths[row].as_py()
        where = f"{self._where}, row {self._first + row}"
        if path is None:
            raise SchemaError(where=where, expected="a file", got="none", hint=_HINT)
        try:
            return Path(path).read_bytes()
        except OSError as error:
            reason = f"{path}: {error.strerror or error}"
            raise ReadError(file=where, reason=reason) from error


def _files(where: str, chunks: Sequence[pa.Array]) -> ChunkedColumn:
    starts = np.cumsum([0, *map(len, chunks)]).astype(np.int64)
    columns = [
        _FileColumn(chunk, where, int(first)) for chunk, first in zip(chunks, starts, strict=False)
    ]
    return ChunkedColumn(starts, columns.__getitem__, ImageFeature(encoding="any"))
