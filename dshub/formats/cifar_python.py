"""Read CIFAR's Python pickles without executing code from them.

Python's unpickler builds dictionaries, lists, tuples, strings and numbers. The names of NumPy's
array classes resolve to two classes defined here, and other names are rejected without an import.
Opcodes (see `pickletools`) are checked and counted first, because the unpickler allocates as many
memo slots as a file declares, and hashes nested tuples of any size.
"""

import io
import pickle
import pickletools
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._records import (
    BATCH_BYTES,
    Format,
    as_images,
    flat,
    only_part,
    spread,
    translated,
)
from dshub.formats._texts import read_all

PLANES = (3, 32, 32)
PIXELS = 3 * 32 * 32
LARGEST_FILE = 1 << 30  # bytes
INSTRUCTIONS = 1 << 19  # CIFAR-100's 50,000 rows need about 200,000; each can take 100 bytes
_TUPLES, _RECALLED = 64, 32  # maximum tuples and memo reads; an array needs six tuples
_REFUSED = {"DUP", "EXT1", "EXT2", "EXT4", "INST", "LONG4", "NEWOBJ", "OBJ", "PERSID", "BINPERSID"}


class Reader(Format, frozen=True):
    """Read `image`, uint8 (32, 32, 3), and the named columns from the only part.

    Each file is loaded into memory, because its array is one string in the pickle.

    Attributes:
        columns: key in the pickle of each other column. The key leads to a list of integers,
            which become int64, or of strings, which become text.
    """

    columns: dict[str, str] = msgspec.field(default_factory=lambda: {"label": "labels"})

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        for file in only_part(files)[1]:
            content = _load(file)
            pixels = _pixels(content, file.name)
            lists = {
                column: _list(content, key, len(pixels), file.name)
                for column, key in self.columns.items()
            }
            step = BATCH_BYTES // PIXELS
            for start in range(0, len(pixels), step):
                planes = pixels[start : start + step].reshape(-1, *PLANES)
                columns = {"image": as_images(planes)}
                columns |= {name: values.slice(start, step) for name, values in lists.items()}
                yield pa.RecordBatch.from_pydict(columns)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows, only_part(parts)[1]):
            images = flat(some, "image", where="a CIFAR file")
            planes = images.transpose(0, 3, 1, 2).reshape(len(images), PIXELS)
            lists = {key: some.column(column).to_pylist() for column, key in self.columns.items()}
            _write(sink, planes.astype(np.uint8), lists)


def _load(file: File) -> dict[Any, Any]:
    """Load the dictionary in a pickle of protocol 1 or 2, with strings as bytes.

    Raises:
        ReadError: the file is damaged or too large, or contains more than plain values.
    """
    stream = io.BytesIO(read_all(file, LARGEST_FILE))
    with translated(file.name, "it is not a pickle of arrays"):
        _check(stream)
        stream.seek(0)
        content = _Unpickler(stream, encoding="bytes").load()
    return content if isinstance(content, dict) else {}


def _check(stream: io.BytesIO) -> None:
    """Raise ValueError if opcodes are not needed for plain values, or are too many."""
    tuples = recalled = 0
    for count, (code, argument, place) in enumerate(pickletools.genops(stream)):
        name = code.name
        tuples += "TUPLE" in name
        recalled += name.endswith("GET")
        is_far = name.endswith("PUT") and not 0 <= (argument or 0) < INSTRUCTIONS
        if code.proto > 2 or name in _REFUSED or is_far:
            raise ValueError(f"opcode {name} at byte {place:,} is not allowed")
        if count == INSTRUCTIONS or tuples > _TUPLES or recalled > _RECALLED:
            raise ValueError(f"it has too many opcodes before byte {place:,}")
    if stream.read(1):
        raise ValueError("more bytes follow its end")


class _Dtype:
    """Replacement for `numpy.dtype` that allows only uint8."""

    def __init__(self, name: bytes | str, *_: object) -> None:
        text = name.decode() if isinstance(name, bytes) else name
        if text != "u1":
            raise ValueError("an array is not uint8")

    def __setstate__(self, state: object) -> None:
        """Ignore the byte order, which uint8 does not have."""


class _Array:
    """Replacement for `numpy.ndarray`, which a pickle creates empty and then fills."""

    values: np.ndarray | None = None

    def __init__(self, *_: object) -> None:
        """Ignore the description of the empty array."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise TypeError("an array has no uint8 data")
        values = np.frombuffer(data, np.uint8)
        self.values = values.reshape(shape, order="F" if fortran else "C")


# module names differ between NumPy releases
_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _Dtype,
}


class _Unpickler(pickle.Unpickler):
    """Unpickler that resolves only the names in `_ALLOWED`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it uses {module}.{name}, which is not allowed")
        return _ALLOWED[module, name]


def _pixels(content: dict[Any, Any], name: str) -> np.ndarray:
    array = content.get(b"data")
    pixels = array.values if isinstance(array, _Array) else None
    if pixels is None or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        reason = f"the pickle has no uint8 array 'data' with rows of {PIXELS:,} values"
        raise ReadError(file=name, reason=reason)
    return pixels


def _list(content: dict[Any, Any], key: str, rows: int, name: str) -> pa.Array:
    """Convert a list in the dictionary to a column."""
    values = content.get(key.encode())
    if not isinstance(values, list):
        keys = sorted(str(other, "latin-1") for other in content if isinstance(other, bytes))
        reason = f"the pickle has no list {key!r}, only {', '.join(keys)}"
        raise ReadError(file=name, reason=reason)
    if len(values) != rows:
        reason = f"its list {key!r} has {len(values):,} values for {rows:,} images"
        raise ReadError(file=name, reason=reason)
    kinds = {type(value) for value in values}
    try:
        if kinds <= {int}:
            return pa.array(values, pa.int64())
        if kinds <= {bytes}:
            return pa.array([value.decode() for value in values], pa.string())
    except (pa.ArrowInvalid, OverflowError, UnicodeDecodeError) as error:
        raise ReadError(file=name, reason=f"its list {key!r}: {error}") from None
    reason = f"its list {key!r} does not contain only integers or only strings"
    raise ReadError(file=name, reason=reason)


def _write(sink: BinaryIO, pixels: np.ndarray, lists: Mapping[str, list[Any]]) -> None:
    """Write a protocol 2 pickle in the form that Python 2 and NumPy produced."""
    sink.write(b"\x80\x02}(" + _string(b"data"))
    sink.write(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R")
    sink.write(b"(K\x01" + _value(len(pixels)) + _value(PIXELS) + b"\x86")
    sink.write(b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R")
    sink.write(b"(K\x03U\x01|NNN" + _value(-1) + _value(-1) + b"K\x00tb\x89")
    sink.write(_string(pixels.tobytes()) + b"tb")
    for key, values in lists.items():
        sink.write(_string(key.encode()) + b"](")
        sink.writelines(map(_value, values))
        sink.write(b"e")
    sink.write(b"u.")


def _string(value: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(value)) + value


def _value(value: str | int) -> bytes:
    if isinstance(value, str):
        return _string(value.encode())
    if not -(2**31) <= value < 2**31:
        raise SchemaError(where="a CIFAR file", expected="an int32", got=str(value))
    return b"J" + struct.pack("<i", value)
