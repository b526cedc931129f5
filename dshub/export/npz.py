"""One `.npz` of NumPy for a split, each column an array of all rows.

Text is an array of `str` of one length, the names of classes stand in `<column>_names`. Pictures
are pixels. Nothing in it needs `pickle`. Source of the format: `numpy.lib.format`.
"""

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    TextFeature,
    is_encoded,
)
from dshub.errors import DshubError
from dshub.export._rows import Rows, kind_of, refuse
from dshub.progress import size
from dshub.tables.types import row_dtype, row_shape

_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say; the same in every run


@dataclass(frozen=True)
class Npz:
    """A file for each split, for programs that read whole columns into memory."""

    kind: Literal["one"] = "one"
    suffixes: tuple[str, ...] = (".npz",)
    revision: int = 1

    def check(self, rows: Rows) -> None:
        for name, feature in rows.features.items():
            differing = isinstance(feature, ImageFeature) and not feature.shape
            if differing or isinstance(feature, AudioFeature | ListFeature):
                refuse(rows, name, f"holds {kind_of(feature)} that differ in shape: no one array")
        needed = sum(_bytes(rows, name, feature) for name, feature in rows.features.items())
        memory = _memory()
        if memory is not None and needed > memory:
            raise DshubError(
                f"{rows.title}: its columns are {size(needed)} together, and this machine has "
                f"{size(memory)} of memory, which who reads an .npz needs",
                hint="export fewer columns or rows, or to parquet, arrow or tfrecord",
            )

    def write(self, path: Path, rows: Rows) -> None:
        target = path.with_name(f"{path.name}{self.suffixes[0]}")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for i, (name, feature) in enumerate(rows.features.items()):
                _write_column(archive, rows, name, progress=i == 0)
                if isinstance(feature, LabelFeature):
                    _write_names(archive, f"{name}_names", feature)


def _write_column(archive: zipfile.ZipFile, rows: Rows, name: str, *, progress: bool) -> None:
    feature = rows.features[name]
    dtype, shape = _dtype(rows, name, feature), _shape(feature)
    with _member(archive, name) as sink:
        _write_header(sink, dtype, (rows.count, *shape))
        for count, values in _values(rows, name):
            sink.write(np.asarray(values, dtype).tobytes())
            rows.advance(count if progress else 0)


def _write_names(archive: zipfile.ZipFile, name: str, feature: LabelFeature) -> None:
    names = np.array(feature.names)
    with _member(archive, name) as sink:
        _write_header(sink, names.dtype, names.shape)
        sink.write(names.tobytes())


def _member(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    info = zipfile.ZipInfo(f"{name}.npy", _DATE)
    return cast("BinaryIO", archive.open(info, "w", force_zip64=True))


def _write_header(sink: BinaryIO, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    described = np.lib.format.dtype_to_descr(dtype)
    header = {"descr": described, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(sink, header)


def _values(rows: Rows, name: str) -> Iterator[tuple[int, Any]]:
    """A column in blocks, pictures decoded, and how many rows each has."""
    column = rows.dataset.columns([name]).decode()
    for start in range(rows.first, rows.first + rows.count, rows.block):
        stop = min(start + rows.block, rows.first + rows.count)
        yield stop - start, column[start:stop][name]


def _shape(feature: Feature) -> tuple[int, ...]:
    if is_encoded(feature) and isinstance(feature, ImageFeature):
        return feature.shape
    return row_shape(feature)


def _dtype(rows: Rows, name: str, feature: Feature) -> np.dtype:
    """Of a column; text is as long as its longest."""
    if isinstance(feature, TextFeature):
        longest = max((_longest(rows, name, texts) for _, texts in _values(rows, name)), default=1)
        return np.dtype(f"<U{max(longest, 1)}")
    return row_dtype(feature) or np.dtype(np.uint8)


def _longest(rows: Rows, name: str, texts: list[str]) -> int:
    """Characters of the longest text; NumPy would drop zeros at the end of one."""
    for text in texts:
        if text.endswith("\0"):
            refuse(rows, name, "holds a text with a zero at its end, which NumPy drops")
    return max(map(len, texts), default=0)


def _bytes(rows: Rows, name: str, feature: Feature) -> int:
    return rows.count * _dtype(rows, name, feature).itemsize * prod(_shape(feature))


def _memory() -> int | None:
    """Bytes of memory of this machine, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


exporter = Npz()
