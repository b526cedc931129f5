"""Read the plain values of a pickle without running anything that it names.

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
from typing import TYPE_CHECKING, Any

import numpy as np

from dshub.errors import ReadError
from dshub.readers._texts import whole

if TYPE_CHECKING:
    from dshub.readers import File

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
