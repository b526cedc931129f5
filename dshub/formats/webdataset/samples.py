"""Group the files of WebDataset shards into samples, and decode files by their endings.

The rules are those of the package webdataset: the key of a sample is a file's path up to the first
dot in its name, and the rest is the ending, in lower case. Consecutive files with one key are a
sample. Files without a key or an ending, such as `.DS_Store` and `._1.jpg`, and names such as
`__info__` belong to no sample.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np

from dshub.errors import ReadError
from dshub.formats import File
from dshub.formats._ragged import DTYPES
from dshub.formats._records import translated
from dshub.formats._texts import decoded, read_all

LARGEST_FILE = 1 << 30  # bytes; Arrow's offsets are 32 bits wide
LARGEST_TEXT = 64 << 20  # bytes of a text or JSON file, which takes more memory than its size
KEY = "__key__"

Type = Literal["bytes", "text", "integer", "json", "array"]

_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
_META = re.compile(r"__[^/]*__(?:$|/)")
_TYPES: dict[str, Type] = {
    **dict.fromkeys(("cls", "cls2", "class", "count", "index", "inx", "id"), "integer"),
    **dict.fromkeys(("txt", "text", "transcript", "caption"), "text"),
    "json": "json",
    "npy": "array",
}


def type_of(ending: str) -> Type:
    """Return how files with an ending are decoded, such as `integer` for `cls`."""
    return _TYPES.get(ending.removesuffix(".gz").rpartition(".")[2], "bytes")


@dataclass(frozen=True)
class Sample:
    """Files with one key.

    Attributes:
        key: path up to the first dot in the name.
        archive: name of the shard.
        files: files by ending, such as `jpg` or `seg.png`.
    """

    key: str
    archive: str
    files: dict[str, File] = field(default_factory=dict)


def split_name(member: str) -> tuple[str, str] | None:
    """Split a member's name into key and ending; None for a file that belongs to no sample."""
    match = _NAME.fullmatch(member)
    return None if match is None or _META.match(member) else (match[1], match[2].lower())


def samples(files: Iterable[File]) -> Iterator[Sample]:
    """Yield the samples of shards.

    Raises:
        ReadError: a sample has two files with one ending, or a name is not UTF-8.
    """
    sample: Sample | None = None
    for file in files:
        parts = split_name(file.member)
        if parts is None:
            continue
        key, ending = parts
        archive = file.name.removesuffix(file.member)
        if sample is None or (key, archive) != (sample.key, sample.archive):
            if sample is not None:
                yield sample
            sample = Sample(_checked(key, file), archive)
        if ending in sample.files:
            raise ReadError(file=file.name, reason=f"sample {key!r} has two files .{ending}")
        sample.files[ending] = file
    if sample is not None:
        yield sample


def _checked(key: str, file: File) -> str:
    try:
        key.encode()
    except UnicodeEncodeError as error:
        reason = f"its name is not valid UTF-8 at character {error.start + 1}"
        raise ReadError(file=file.name, reason=reason) from None
    return key


def decode(file: File, kind: Type) -> Any:
    """Read a file as `bytes`, `str`, `int`, the value of a JSON document, or an array.

    Raises:
        ReadError: the content does not have the type.
    """
    data = read_all(file, LARGEST_FILE if kind in {"bytes", "array"} else LARGEST_TEXT)
    match kind:
        case "bytes":
            return data
        case "text":
            return decoded(data.removeprefix(b"\xef\xbb\xbf"), file)
        case "integer":
            return _integer(data, file)
        case "json":
            return _json(data, file)
        case "array":
            return _array(data, file)


def _integer(data: bytes, file: File) -> int:
    if not re.fullmatch(rb"\s*[-+]?[0-9]{1,19}\s*", data):
        shown = data[:40]
        raise ReadError(file=file.name, reason=f"it is {shown!r}, not an integer")
    number = int(data)
    if not -(2**63) <= number < 2**63:
        raise ReadError(file=file.name, reason=f"{number} does not fit 64 bits")
    return number


def _json(data: bytes, file: File) -> Any:
    text = decoded(data.removeprefix(b"\xef\xbb\xbf"), file)
    try:
        value = json.loads(text, parse_constant=_constant)
        if "\\u" in text:  # JSON can name halves of characters, which are not text
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ReadError(file=file.name, reason=f"it is not valid JSON: {error}") from None
    return value


def _constant(name: str) -> None:
    """Return the value of `NaN`, which many programs write for a missing value."""
    if name != "NaN":
        raise ValueError(f"{name} is not JSON")


def _array(data: bytes, file: File) -> np.ndarray:
    """Parse the content of an `.npy` file without pickles."""
    stream = io.BytesIO(data)
    with translated(file.name, "it is not a NumPy array"):
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    if dtype.kind not in DTYPES:
        reason = f"its dtype is {dtype}, but only numbers are supported"
        raise ReadError(file=file.name, reason=reason)
    size, left = prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if size != left:
        reason = f"its header promises {size:,} bytes of data, but {left:,} follow"
        raise ReadError(file=file.name, reason=reason)
    values = np.frombuffer(data, dtype, offset=stream.tell())
    values = values.reshape(shape, order="F" if fortran else "C")
    return values.astype(dtype.newbyteorder("="))
