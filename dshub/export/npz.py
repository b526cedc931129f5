"""Export to one NumPy `.npz` file per split, with one array per column.

Text is an array of `str` with a fixed length, and images are pixels. Class names are in
`<column>_names`. Reading does not require `pickle`. The format is documented in `numpy.lib.format`.
"""

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import numpy as np

from dshub.catalog.features import (
    AudioFeature,
    BytesFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    StructFeature,
    TextFeature,
    is_image_file,
)
from dshub.errors import DshubError
from dshub.export._rows import Columns, Exporter, Rows, kind_of, refuse, refuse_missing
from dshub.export._stored import Stored, by_number
from dshub.progress import size
from dshub.tables.types import row_dtype, row_shape

_UNEVEN = AudioFeature | ListFeature | StructFeature | BytesFeature
_DATE = (1980, 1, 1, 0, 0, 0)  # earliest date in ZIP files, fixed to make files reproducible


class Npz(Exporter):
    """Exporter of one file per split, for programs that read whole columns into memory."""

    kind = "one"
    suffixes = (".npz",)

    def check(self, rows: Rows) -> None:
        for name, feature in rows.features.items():
            varies = is_image_file(feature) and not feature.shape
            if varies or isinstance(feature, _UNEVEN):
                refuse(rows, name, f"holds {kind_of(feature)} of different shapes, not one array")
        refuse_missing(rows)
        needed = sum(
            rows.count * _dtype(rows, name).itemsize * prod(_shape(feature))
            for name, feature in rows.features.items()
        )
        with suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            if needed > memory:
                raise DshubError(
                    f"{rows.title}: loading this .npz needs {size(needed)} of memory; this "
                    f"machine has {size(memory)}",
                    hint="export fewer columns or rows, or to parquet, arrow or tfrecord",
                )

    def write(self, path: Path, rows: Rows) -> None:
        target = path.with_suffix(".npz")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for name, feature in rows.features.items():
                with _member(archive, name) as sink:
                    _write_column(sink, rows, name)
                rows = replace(rows, advance=int)  # count rows only for the first column
                if isinstance(feature, LabelFeature):
                    _write_names(archive, name, feature)

    def stored(self, features: Mapping[str, Feature], supervised: Columns) -> Stored:
        del supervised
        shown = {name: _as_array(by_number(feature)) for name, feature in features.items()}
        return Stored({"format": "npz", "columns": {name: name for name in features}}, shown)


def _as_array(feature: Feature) -> Feature:
    if isinstance(feature, ImageFeature):  # decoded
        return msgspec.structs.replace(feature, encoding="raw")
    return feature


def _member(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    info = zipfile.ZipInfo(f"{name}.npy", _DATE)
    return cast("BinaryIO", archive.open(info, "w", force_zip64=True))


def _write_column(sink: BinaryIO, rows: Rows, name: str) -> None:
    dtype, shape = _dtype(rows, name), _shape(rows.features[name])
    header = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (rows.count, *shape),
    }
    np.lib.format.write_array_header_1_0(sink, header)
    sink.writelines(np.asarray(values, dtype).tobytes() for values in _values(rows, name))


def _write_names(archive: zipfile.ZipFile, name: str, feature: LabelFeature) -> None:
    with _member(archive, f"{name}_names") as sink:
        np.lib.format.write_array(sink, np.array(feature.names))


def _values(rows: Rows, name: str) -> Iterator[Any]:
    """Yield blocks of a column, with images decoded."""
    for _, block in rows.blocks():
        yield block.columns([name]).decode()[:][name]


def _shape(feature: Feature) -> tuple[int, ...]:
    return feature.shape if is_image_file(feature) else row_shape(feature)


def _dtype(rows: Rows, name: str) -> np.dtype:
    """Return the dtype of a column; the length of a text dtype is that of its longest value."""
    feature = rows.features[name]
    if is_image_file(feature):
        return np.dtype(feature.dtype)
    if not isinstance(feature, TextFeature):
        return row_dtype(feature) or np.dtype(np.uint8)
    longest = 1
    for texts in _values(replace(rows, advance=int), name):
        if any(text.endswith("\0") for text in texts):
            refuse(rows, name, "holds text that ends with a zero character, which NumPy drops")
        longest = max(longest, *map(len, texts))
    return np.dtype(f"<U{longest}")


exporter = Npz()
