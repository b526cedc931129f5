"""CIFAR's Python files: pickles, read without running anything they name.

Read the plain values of a pickle without running anything that it names.

Python's own unpickler builds dictionaries, lists, tuples, strings and numbers. The names of
NumPy's array lead to two classes here that hold its parts; any other name is refused, and none is
ever looked up. The instructions are counted first (`pickletools` documents them), for the
unpickler makes room for as many remembered values as it is told, and hashes nested tuples of any
size.
"""

import io
import pickle
import pickletools
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats._records import (
    BATCH_BYTES,
    channels_last,
    flat,
    nested,
    only_part,
    runs,
    with_numbers,
)
from dshub.formats._texts import whole

if TYPE_CHECKING:
    from dshub.formats import File, Output

LARGEST_FILE = 1 << 30  # bytes
INSTRUCTIONS = 1 << 19  # CIFAR-100's 50,000 rows take some 200,000; each may cost 100 bytes
_PROTOCOL = 2
_TUPLES, _RECALLED = 64, 32  # an array takes six tuples, and recalls nothing but names
_REFUSED = {"DUP", "EXT1", "EXT2", "EXT4", "INST", "LONG4", "NEWOBJ", "OBJ", "PERSID", "BINPERSID"}
_NUMBERS = re.compile("[<>|=]?[biuf][1248]")
_ERRORS = (
    pickle.UnpicklingError,
    AttributeError,
    DeprecationWarning,  # of an escape in a string, where warnings are errors
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


def load(file: "File") -> Any:
    """The value in a pickle of protocol 1 or 2, its strings as bytes, its arrays read-only.

    Raises:
        ReadError: it is damaged, too large, or more than plain values.
    """
    stream = io.BytesIO(whole(file, LARGEST_FILE))
    try:
        _check(stream)
        stream.seek(0)
        value = _Unpickler(stream, encoding="bytes").load()
    except _ERRORS as error:
        reason = f"it is no pickle of arrays: {error or type(error).__name__}"
        raise ReadError(file=file.name, reason=reason) from None
    return _plain(value)


def _check(stream: io.BytesIO) -> None:
    """Raise ValueError for instructions that plain values do not need, or that are too many."""
    tuples = recalled = 0
    for count, (code, argument, place) in enumerate(pickletools.genops(stream)):
        name = code.name
        tuples += "TUPLE" in name
        recalled += name.endswith("GET")
        too_far = name.endswith("PUT") and not 0 <= (argument or 0) < INSTRUCTIONS
        if code.proto > _PROTOCOL or name in _REFUSED or too_far:
            raise ValueError(f"at byte {place:,}, {name} is nothing that plain values need")
        if count == INSTRUCTIONS or tuples > _TUPLES or recalled > _RECALLED:
            raise ValueError(f"at byte {place:,}, it still goes on")
    if stream.read(1):
        raise ValueError("bytes follow its end")


class _Dtype:
    """A type of numbers, as NumPy describes it to a pickle."""

    def __init__(self, name: bytes | str, *_: object) -> None:
        self.name = _word(name)
        if not _NUMBERS.fullmatch(self.name):
            raise ValueError(f"an array of {self.name!r}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = _word(state[1])
        if order not in {"<", ">", "|", "="}:
            raise ValueError(f"the byte order {order!r}")
        self.name = order + self.name.lstrip("<>|=")


class _Array:
    """An array that is not filled yet, or is."""

    value: np.ndarray | None = None

    def __init__(self, *_: object) -> None:
        """Take no part in what NumPy would make: an empty array."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise TypeError("an array of no numbers")
        if any(length < 0 for length in shape):
            raise ValueError(f"an array of shape {shape}")
        values = np.frombuffer(data, dtype.name) if data else np.empty(0, dtype.name)
        self.value = values.reshape(shape, order="F" if fortran else "C")


# the modules' names differ between NumPy's releases
_KNOWN: dict[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _Dtype,
}


class _Unpickler(pickle.Unpickler):
    """Python's own, with names of ours alone."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _KNOWN[module, name]


def _word(value: bytes | str) -> str:
    return value if isinstance(value, str) else str(value, "ascii")


def _plain(value: Any) -> Any:
    """A dictionary with its arrays, without dictionaries in it; other values as they are."""
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not isinstance(item, dict)}
    return value


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
