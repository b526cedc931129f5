"""NumPy's own files: `.npy`, one array, and `.npz`, a zip of several.

Layout of an array, as in NumPy's documentation (NEP 1): the byte 93, `NUMPY`; two bytes of version;
the length of the header, little-endian, two bytes in version 1 and four later; the header, the text
of a dictionary with `descr`, `fortran_order` and `shape`; then the values. Objects, which are
pickles, are refused. An `.npz` is copied to a temporary file while it is read, since a zip has its
directory at the end; name the arrays in the manifest, `resource:x_train.npy`, and it is read in
place.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats._records import BATCH_BYTES, fill, flat, nested, only_part, runs, with_numbers
from dshub.formats._stored import Header, Stored, seekable, together

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from dshub.formats import File, Output

MAGIC = b"\x93NUMPY"
LARGEST_HEADER = 1 << 16  # bytes
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can state: same rows, same bytes
_LENGTHS = r"\(\s*(?:(?:\d{1,18}L?\s*,\s*)+(?:\d{1,18}L?\s*)?)?\)"  # L: Python 2 wrote it
_ITEM = re.compile(
    rf"""\s*["'](\w+)["']\s*:\s*(["'][^"']*["']|True|False|{_LENGTHS})\s*(?:,\s*|\Z)"""
)
_NUMBERS = re.compile(r"[<>=|]?(?:b1|[iu][1248]|f[248])")
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that Python does not know
    OSError,
    OverflowError,
    RuntimeError,  # it is encrypted
    ValueError,
    struct.error,
)


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads one column from each part, an npy file; or several from one part, an npz file.

    A part may be several files, which follow one another.

    Attributes:
        columns: for npz: the columns, and the array that holds each; none for npy.
        row_axis: for columns whose array counts rows on another axis than the first, which.
        shape: for columns whose rows are flat: the shape of a row.
        axes: for columns whose rows have their axes in another order: the axes of a row (as it
            is, or as `shape` makes it) in the order that is wanted, `[1, 2, 0]` for pictures that
            are stored channel by channel.
    """

    text_labels: ClassVar[bool] = False

    columns: dict[str, str] = {}
    row_axis: dict[str, int] = {}
    shape: dict[str, tuple[int, ...]] = {}
    axes: dict[str, tuple[int, ...]] = {}

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        self._check_options(files)
        for group in _groups(files):
            with ExitStack() as stack:
                streams = self._open(group, stack)
                arrays = {
                    column: Stored(
                        stream, stream.name, _header(stream), axis=self.row_axis.get(column, 0)
                    )
                    for column, stream in streams.items()
                }
                self._check_sizes(group, arrays)
                for piece in together(arrays, budget=BATCH_BYTES):
                    columns = {
                        column: nested(self._shaped(column, values, arrays[column].name))
                        for column, values in piece.items()
                    }
                    yield pa.RecordBatch.from_pydict(columns)
                for stream in streams.values():
                    stream.expect_end()

    def _check_options(self, files: Mapping[str, Sequence["File"]]) -> None:
        """An option for a column that is not there is a slip, and would be without effect."""
        columns = self.columns or files
        for column in (*self.row_axis, *self.shape, *self.axes):
            if column not in columns:
                names = ", ".join(file.name for found in files.values() for file in found)
                told = ", ".join(columns)
                reason = f"an option of the reader is for {column!r}, but the columns are {told}"
                raise ReadError(file=names, reason=reason)

    def _open(self, files: Mapping[str, "File"], stack: ExitStack) -> dict[str, "_Stream"]:
        """The bytes of the array of each column."""
        if not self.columns:
            return {
                part: _Stream(file.name, stack.enter_context(file.open()))
                for part, file in files.items()
            }
        file = only_part({part: [file] for part, file in files.items()}, "npz")[0]
        copy = stack.enter_context(seekable(file))
        with translated(file.name):
            archive = stack.enter_context(zipfile.ZipFile(copy))
            return {
                column: _Stream(
                    f"{file.name}:{array}",
                    cast(
                        "BinaryIO",
                        stack.enter_context(archive.open(_member(file.name, archive, array))),
                    ),
                )
                for column, array in self.columns.items()
            }

    def _check_sizes(self, files: Mapping[str, "File"], arrays: Mapping[str, Stored]) -> None:
        """Compare what the headers promise with what the files may unpack to."""
        sizes = {column: array.rows * array.row_bytes for column, array in arrays.items()}
        for part, file in files.items():
            file.check_size(sum(sizes.values()) if self.columns else sizes[part])

    def _shaped(self, column: str, values: np.ndarray, name: str) -> np.ndarray:
        """Rows in the shape and with the axes that are wanted."""
        try:
            if column in self.shape:
                values = values.reshape(len(values), *self.shape[column])
            if column in self.axes:
                values = values.transpose(0, *(axis + 1 for axis in self.axes[column]))
        except ValueError:
            shape = "x".join(map(str, values.shape[1:])) or "one value"
            reason = f"its rows are {shape}, which the reader's `shape` or `axes` do not fit"
            raise ReadError(file=name, reason=reason) from None
        return values

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Arrays that no feature asks for hold the row's number."""
        return with_numbers(rows, self.columns, first)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        for part, output in parts.items():
            for name, some in runs(rows, output):
                with output.create(name) as sink:
                    self._write_file(sink, some, part)

    def _write_file(self, sink: BinaryIO, rows: pa.RecordBatch, part: str) -> None:
        if not self.columns:
            np.lib.format.write_array(sink, self._stored(rows, part))
            return
        with zipfile.ZipFile(sink, "w") as archive:
            for column, array in self.columns.items():
                info = zipfile.ZipInfo(f"{array}.npy", _EPOCH)
                with archive.open(info, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, self._stored(rows, column))

    def _stored(self, rows: pa.RecordBatch, column: str) -> np.ndarray:
        """A column as the file holds it."""
        values = flat(rows, column, where=f"NumPy array {column}")
        if column in self.axes:
            axes = np.argsort(self.axes[column])
            values = values.transpose(0, *(int(axis) + 1 for axis in axes))
        if column in self.shape:
            values = values.reshape(len(values), prod(self.shape[column]))
        return np.ascontiguousarray(np.moveaxis(values, 0, self.row_axis.get(column, 0)))


class _Stream(io.RawIOBase):
    """The bytes of an array; where they are damaged that is a ReadError."""

    def __init__(self, name: str, stream: BinaryIO) -> None:
        self.name, self._stream = name, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        with translated(self.name):
            count: int = cast("Any", self._stream).readinto(buffer)
            return count

    def exactly(self, size: int) -> bytes:
        """So many bytes of the header."""
        data = bytearray(size)
        if fill(self, np.frombuffer(data, np.uint8)) < size:
            raise ReadError(file=self.name, reason="it ends within its header")
        return bytes(data)

    def expect_end(self) -> None:
        """Nothing may follow; reading on also makes a zip check its checksum."""
        if self.read(1):
            raise ReadError(file=self.name, reason="bytes follow those that its header promises")


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise ReadError in place of what zipfile raises for a damaged file."""
    try:
        yield
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise ReadError(file=name, reason=f"it is damaged: {reason}") from error


def _groups(files: Mapping[str, Sequence["File"]]) -> Iterator[dict[str, "File"]]:
    """The first file of each part, then the second ones, and so on."""
    counts = {part: len(found) for part, found in files.items()}
    if len(set(counts.values())) != 1:
        names = ", ".join(file.name for found in files.values() for file in found)
        told = ", ".join(f"{part} {count}" for part, count in counts.items())
        raise ReadError(file=names, reason=f"the parts differ in their number of files: {told}")
    for group in zip(*files.values(), strict=True):
        yield dict(zip(files, group, strict=True))


def _member(name: str, archive: zipfile.ZipFile, array: str) -> zipfile.ZipInfo:
    """Where in an npz an array is."""
    wanted = {array, f"{array}.npy"}
    found = [info for info in archive.infolist() if info.filename in wanted]
    if len(found) != 1:
        told = ", ".join(info.filename.removesuffix(".npy") for info in archive.infolist()[:20])
        reason = f"it holds {len(found)} arrays {array!r}; there are: {told}"
        raise ReadError(file=name, reason=reason)
    if found[0].compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        reason = f"its array {array!r} is compressed as no npz is"
        raise ReadError(file=name, reason=reason)
    return found[0]


def _header(stream: _Stream) -> Header:
    """What stands before the values."""
    begin = stream.exactly(8)
    version = begin[6]
    if not begin.startswith(MAGIC) or version not in {1, 2, 3}:
        told = "an npz: name its arrays in the reader's option `columns`"
        what = told if begin.startswith(b"PK") else f"no NumPy array: it begins with {begin!r}"
        raise ReadError(file=stream.name, reason=f"it is {what}")
    form = "<H" if version == 1 else "<I"
    (size,) = struct.unpack(form, stream.exactly(struct.calcsize(form)))
    if size > LARGEST_HEADER:
        raise ReadError(file=stream.name, reason=f"its header has {size:,} bytes")
    text = stream.exactly(size).decode("latin-1").strip()
    items = _items(text)
    try:
        descr, fortran, shape = (items[key] for key in ("descr", "fortran_order", "shape"))
    except KeyError:
        raise ReadError(file=stream.name, reason=f"it has the header {text[:200]!r}") from None
    if not _NUMBERS.fullmatch(descr[1:-1]):
        reason = f"its values are {descr}, and only numbers can be read"
        raise ReadError(file=stream.name, reason=reason)
    lengths = tuple(int(length) for length in re.findall(r"\d+", shape))
    return Header(np.dtype(descr[1:-1]), lengths, fortran == "True")


def _items(text: str) -> dict[str, str]:
    """The items of a dictionary of plain values, as text; none where it is something else.

    The text is matched, never evaluated.
    """
    items, place, end = {}, 1, len(text) - 1
    if not (text.startswith("{") and text.endswith("}")):
        return {}
    while place < end and (found := _ITEM.match(text, place, end)):
        items[found[1]] = found[2]
        place = found.end()
    return items if place == end else {}
