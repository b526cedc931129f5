"""What kind of file some bytes are, told by how they begin."""

from typing import cast

import numpy as np
import pyarrow as pa

from dshub.errors import SchemaError
from dshub.schema.places import Place

SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "jpeg": (b"\xff\xd8\xff",),
    "png": (b"\x89PNG",),
    "any": (
        b"\xff\xd8\xff",
        b"\x89PNG",
        b"GIF8",
        b"BM",
        b"RIFF",  # WebP
        b"II*\0",  # TIFF
        b"MM\0*",
    ),
    "wav": (b"RIFF",),
    "flac": (b"fLaC",),
}
_WORDS = {"any": "a picture", "jpeg": "a JPEG picture", "png": "a PNG picture"} | {
    "wav": "a WAV recording",
    "flac": "a FLAC recording",
}


def check_signatures(column: pa.Array, encoding: str, place: Place) -> pa.Array:
    """The column as `binary`, each value of which begins as such a file does.

    Raises:
        SchemaError: it holds no files, or one of another kind.
    """
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise SchemaError(where=place.where, expected=_WORDS[encoding], got=str(column.type))
    column = column.cast(pa.binary())
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    content = np.frombuffer(data if data is not None else b"", np.uint8)
    right = np.zeros(len(column), bool)
    for signature in SIGNATURES[encoding]:
        right |= _begin(content, starts, signature)
    wrong = np.flatnonzero(~right)
    if len(wrong):
        row = int(wrong[0])
        begin = cast("bytes", column[row].as_py())[:8]
        got = f"a file that begins with {begin!r}" if begin else "an empty file"
        raise place.fault(row, expected=_WORDS[encoding], got=got)
    return column


def _begin(content: np.ndarray, starts: np.ndarray, signature: bytes) -> np.ndarray:
    """Which values begin so."""
    same = starts[1:] - starts[:-1] >= len(signature)
    for i, byte in enumerate(signature):
        same[same] = content[starts[:-1][same] + i] == byte
    found: np.ndarray = same
    return found
