"""NumPy's `.npy` files, which contain one array, and `.npz` files, which are zips of several.

Layout of an array, from NumPy's documentation (NEP 1):

* the byte 0x93 and `NUMPY`
* two bytes for the version
* the length of the header, little-endian, in two bytes for version 1 and four for later versions
* the header, a dictionary literal with `descr`, `fortran_order` and `shape`
* the values

Arrays of objects, which are pickles, are rejected. An `.npz` is copied to a temporary file before
it is read, because a zip has its directory at the end. To read its arrays in place, name them in
the manifest, such as `resource:x_train.npy`.
"""

import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import prod
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import File, Output, nested
from dshub.formats._records import (
    Format,
    check_options,
    flat,
    mismatch,
    names_of,
    only_part,
    spread,
    translated,
)
from dshub.formats._stored import Stored, exactly, seekable, together

MAGIC = b"\x93NUMPY"
LARGEST_HEADER = 1 << 16  # bytes
_EPOCH = (1980, 1, 1, 0, 0, 0)  # fixed, so that the same rows give the same bytes
_LENGTHS = r"\(\s*(?:(?:\d{1,18}L?\s*,\s*)+(?:\d{1,18}L?\s*)?)?\)"  # Python 2 wrote 3L
_ITEM = rf"""["'](\w+)["']\s*:\s*(["'][^"']*["']|True|False|{_LENGTHS})\s*(?:,|(?=\}}))"""
_ITEMS = re.compile(_ITEM)
_HEADER = re.compile(rf"\s*\{{\s*(?:{_ITEM}\s*)*+\}}\s*")
_DTYPES = re.compile(
    r"[<>=|]?(?:b1|[iu][1248]|f[248]|U[1-9]\d{0,6}|M8\[(?:D|s|ms|us|ns)\])"  # U is text
)


class Reader(Format, frozen=True):
    """Read one column from each part of npy files, or several from one part of npz files.

    The files of a part are read in order.

    Attributes:
        columns: array of each column in an npz; empty for npy.
        row_axis: axis that counts rows, for columns where it is not the first.
        shape: shape of a row, for columns with flattened rows.
        axes: order of a row's axes, for columns with another order, such as `[1, 2, 0]` for
            images with the channel axis first. `shape` is applied before `axes`.
    """

    columns: dict[str, str] = {}
    row_axis: dict[str, int] = {}
    shape: dict[str, tuple[int, ...]] = {}
    axes: dict[str, tuple[int, ...]] = {}

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        check_options((*self.row_axis, *self.shape, *self.axes), self.columns or files, files)
        for group in _groups(files):
            with ExitStack() as stack:
                arrays = self._open_npz(group, stack) if self.columns else self._open(group, stack)
                for pieces in together(arrays):
                    columns = {
                        column: self._column(column, values, arrays[column].name)
                        for column, values in pieces.items()
                    }
                    yield pa.RecordBatch.from_pydict(columns)
                for array in arrays.values():
                    array.finish()

    def _open(self, files: Mapping[str, File], stack: ExitStack) -> dict[str, Stored]:
        arrays = {}
        for part, file in files.items():
            arrays[part] = self._array(part, stack.enter_context(file.open()), file.name)
            file.check_size(arrays[part].rows * arrays[part].row_bytes)
        return arrays

    def _open_npz(self, files: Mapping[str, File], stack: ExitStack) -> dict[str, Stored]:
        _, file = only_part(files)
        stack.enter_context(translated(file.name))
        archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(seekable(file))))
        arrays = {}
        for column, name in self.columns.items():
            member = stack.enter_context(archive.open(_member(file.name, archive, name)))
            arrays[column] = self._array(column, cast("BinaryIO", member), f"{file.name}:{name}")
        file.check_size(sum(array.rows * array.row_bytes for array in arrays.values()))
        return arrays

    def _array(self, column: str, stream: BinaryIO, name: str) -> Stored:
        dtype, shape, fortran = _header(stream, name)
        axis = self.row_axis.get(column, 0)
        return Stored(stream, name, dtype, shape, fortran=fortran, axis=axis)

    def _column(self, column: str, values: np.ndarray, name: str) -> pa.Array:
        values = self._shaped(column, values, name)
        if values.dtype.kind != "U":
            return nested(values)
        with translated(name, "its text is damaged"):
            return nested(values)

    def _shaped(self, column: str, values: np.ndarray, name: str) -> np.ndarray:
        """Apply the options `shape` and `axes`."""
        try:
            if column in self.shape:
                values = values.reshape(len(values), *self.shape[column])
            if column in self.axes:
                values = values.transpose(0, *(axis + 1 for axis in self.axes[column]))
        except ValueError:
            shape = "x".join(map(str, values.shape[1:])) or "one value"
            reason = f"its rows are {shape}, which the reader's `shape` or `axes` does not match"
            raise mismatch(name, reason) from None
        return values

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for part, output in parts.items():
            for sink, some in spread(rows, output):
                if self.columns:
                    self._write_npz(sink, some)
                else:
                    np.lib.format.write_array(sink, self._as_stored(some, part))

    def _write_npz(self, sink: BinaryIO, rows: pa.RecordBatch) -> None:
        with zipfile.ZipFile(sink, "w") as archive:
            for column, name in self.columns.items():
                info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
                with archive.open(info, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, self._as_stored(rows, column))

    def _as_stored(self, rows: pa.RecordBatch, column: str) -> np.ndarray:
        values = flat(rows, column, where=f"NumPy array {column}")
        if column in self.axes:
            axes = np.argsort(self.axes[column])
            values = values.transpose(0, *(int(axis) + 1 for axis in axes))
        if column in self.shape:
            values = values.reshape(len(values), prod(self.shape[column]))
        return np.ascontiguousarray(np.moveaxis(values, 0, self.row_axis.get(column, 0)))


def _groups(files: Mapping[str, Sequence[File]]) -> Iterator[dict[str, File]]:
    """Yield the first file of each part, then the second of each, and so on."""
    counts = {part: len(of_part) for part, of_part in files.items()}
    if len(set(counts.values())) != 1:
        listed = ", ".join(f"{part} {count}" for part, count in counts.items())
        raise mismatch(names_of(files), f"the parts have different numbers of files: {listed}")
    for group in zip(*files.values(), strict=True):
        yield dict(zip(files, group, strict=True))


def _member(file: str, archive: zipfile.ZipFile, array: str) -> zipfile.ZipInfo:
    """Return the member of an npz that contains an array."""
    members = [info for info in archive.infolist() if info.filename in {array, f"{array}.npy"}]
    if len(members) != 1:
        names = ", ".join(info.filename.removesuffix(".npy") for info in archive.infolist()[:20])
        reason = f"it has {len(members)} arrays named {array!r}, not one"
        raise mismatch(file, f"{reason}; its arrays: {names or 'none'}")
    if members[0].compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        reason = f"its array {array!r} uses a compression other than deflate"
        raise ReadError(file=file, reason=reason)
    return members[0]


def _header(stream: BinaryIO, name: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    """Read the dtype and shape of an array, and whether it is in Fortran order."""
    begin = exactly(stream, 8, name)
    if begin.startswith(b"PK"):
        raise mismatch(name, "it is an npz, so the reader option `columns` must name its arrays")
    if not begin.startswith(MAGIC) or begin[6] not in {1, 2, 3}:
        raise ReadError(file=name, reason=f"it is not a NumPy array: it begins with {begin!r}")
    form = "<H" if begin[6] == 1 else "<I"
    (size,) = struct.unpack(form, exactly(stream, struct.calcsize(form), name))
    if size > LARGEST_HEADER:
        reason = f"its header has {size:,} bytes, more than {LARGEST_HEADER:,}"
        raise ReadError(file=name, reason=reason)
    text = exactly(stream, size, name).decode("latin-1")
    items = dict(_ITEMS.findall(text)) if _HEADER.fullmatch(text) else {}  # never evaluated
    if not items.keys() >= {"descr", "fortran_order", "shape"}:
        raise ReadError(file=name, reason=f"its header is malformed: {text[:200]!r}")
    if not _DTYPES.fullmatch(items["descr"][1:-1]):
        reason = f"its dtype is {items['descr']}, but only numbers, text and dates are supported"
        raise ReadError(file=name, reason=reason)
    shape = tuple(int(length) for length in re.findall(r"\d+", items["shape"]))
    return np.dtype(items["descr"][1:-1]), shape, items["fortran_order"] == "True"
