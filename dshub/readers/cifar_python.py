"""The Python files of CIFAR-10 and CIFAR-100: pickles of Python 2, read without running them.

Layout, as on CIFAR's own page: a dictionary in which `data` is an array, uint8, (rows, 3072), each
row 32x32 values of red, row by row, then green, then blue; `labels`, or `fine_labels` and
`coarse_labels`, are lists of whole numbers, and `filenames` a list of strings.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.readers._arrays import flat, nested, with_numbers
from dshub.readers._pickled import load
from dshub.readers._records import BATCH_BYTES, channels_last
from dshub.readers._runs import only_part, runs

if TYPE_CHECKING:
    from dshub.readers import File, Output

PLANES = (3, 32, 32)
PIXELS = 3 * 32 * 32


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads `image`, uint8 (32, 32, 3), and the columns that are named, from its one part.

    A file is in memory as a whole: its array is one string within the pickle.

    Attributes:
        columns: for each further column, the key under which its list stands: whole numbers
            become int64, strings text.
    """

    text_labels: ClassVar[bool] = False

    columns: dict[str, str] = msgspec.field(default_factory=lambda: {"label": "labels"})

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files, "CIFAR"):
            found = load(file)
            data = _array(file.name, found)
            lists = {
                column: _list(file.name, found, key, len(data))
                for column, key in self.columns.items()
            }
            step = BATCH_BYTES // PIXELS
            for start in range(0, len(data), step):
                some = data[start : start + step].reshape(-1, *PLANES)
                columns = {name: values[start : start + step] for name, values in lists.items()}
                image = nested(channels_last(some))
                yield pa.RecordBatch.from_pydict({"image": image, **columns})

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """A list that no feature asks for holds the row's number."""
        return with_numbers(rows, self.columns, first)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        (output,) = parts.values()
        for name, some in runs(rows, output):
            pictures = flat(some, "image", where="a CIFAR file")
            planes = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), PIXELS)
            lists = {key: some.column(column).to_pylist() for column, key in self.columns.items()}
            with output.create(name) as sink:
                _write(sink, np.ascontiguousarray(planes, np.uint8), lists)


def _array(name: str, found: Any) -> np.ndarray:
    """The array of pictures."""
    data = found.get(b"data") if isinstance(found, dict) else None
    if not isinstance(data, np.ndarray):
        raise ReadError(file=name, reason="the pickle holds no dictionary with an array 'data'")
    if data.ndim != 2 or data.shape[1] != PIXELS or data.dtype != np.uint8:
        shape = "x".join(map(str, data.shape))
        reason = f"its array 'data' is {shape} {data.dtype}, not rows of {PIXELS:,} uint8"
        raise ReadError(file=name, reason=reason)
    return data


def _list(name: str, found: dict[bytes, Any], key: str, rows: int) -> pa.Array:
    """A list of the dictionary as a column."""
    values = found.get(key.encode())
    if not isinstance(values, list):
        keys = ", ".join(sorted(key.decode("latin-1") for key in found))
        reason = f"the pickle holds no list {key!r}, but {keys}"
        raise ReadError(file=name, reason=reason)
    if len(values) != rows:
        reason = f"its list {key!r} has {len(values):,} values for {rows:,} pictures"
        raise ReadError(file=name, reason=reason)
    kinds = {type(value) for value in values}
    try:
        if kinds <= {int}:
            return pa.array(values, pa.int64())
        if kinds <= {bytes}:
            return pa.array([value.decode() for value in values], pa.string())
    except (pa.ArrowInvalid, OverflowError, UnicodeDecodeError) as error:
        raise ReadError(file=name, reason=f"its list {key!r}: {error}") from None
    reason = f"its list {key!r} holds other things than numbers, or than strings"
    raise ReadError(file=name, reason=reason)


def _write(sink: BinaryIO, data: np.ndarray, lists: Mapping[str, list[Any]]) -> None:
    """A pickle of protocol 2 as Python 2 and its NumPy wrote them."""
    sink.write(b"\x80\x02}(" + _string(b"data"))
    sink.write(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R")
    sink.write(b"(K\x01" + _number(len(data)) + _number(data.shape[1]) + b"\x86")
    sink.write(b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R")
    sink.write(b"(K\x03U\x01|NNN" + _number(-1) + _number(-1) + b"K\x00tb\x89")
    sink.write(_string(data.tobytes()) + b"tb")
    for key, values in lists.items():
        sink.write(_string(key.encode()) + b"](")
        sink.writelines(map(_value, values))
        sink.write(b"e")
    sink.write(b"u.")


def _value(value: str | int) -> bytes:
    return _string(value.encode()) if isinstance(value, str) else _number(value)


def _string(value: bytes) -> bytes:
    if len(value) < 256:
        return b"U" + struct.pack("<B", len(value)) + value
    return b"T" + struct.pack("<i", len(value)) + value


def _number(value: int) -> bytes:
    """BININT, or the shorter one where that suffices.

    Raises:
        SchemaError: it is too large for the format.
    """
    if 0 <= value < 256:
        return b"K" + struct.pack("<B", value)
    if not -(2**31) <= value < 2**31:
        raise SchemaError(where="a CIFAR file", expected="an int32", got=str(value))
    return b"J" + struct.pack("<i", value)
