"""The binary files of STL-10.

Layout, as on STL-10's own page: pictures without a header, 96x96 values of red, then green, then
blue, each column by column (as MATLAB keeps a matrix); labels in a file of their own, one byte
each, 1 to 10.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats._records import BATCH_BYTES, channels_last, flat, nested, records

if TYPE_CHECKING:
    from dshub.formats import File, Output

PLANES = (3, 96, 96)
SIZES = {"image": 3 * 96 * 96, "label": 1}  # bytes of a row


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads `image`, uint8 (96, 96, 3), from the part `image`, and `label`, uint8, from `label`.

    The part `label` may be missing: the pictures without labels have none.
    """

    text_labels: ClassVar[bool] = False

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        found = {part: _only(part, files) for part in ("image", *files)}
        step, rows = BATCH_BYTES // SIZES["image"], 0
        with ExitStack() as stack:
            streams = [
                records(file, stack.enter_context(file.open()), SIZES[part], step=step)
                for part, file in found.items()
            ]
            for pieces in zip_longest(*streams):
                counts = [0 if piece is None else len(piece) for piece in pieces]
                if len(set(counts)) > 1:
                    names = [file.name for file in found.values()]
                    raise _different_rows(names, rows, counts)
                yield _columns(dict(zip(found, pieces, strict=True)))
                rows += counts[0]

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """The files hold nothing besides."""
        del first
        return rows

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        for part, output in parts.items():
            values = flat(rows, part, where=f"STL-10 part {part}")
            if part == "image":
                values = values.transpose(0, 3, 2, 1)
            with output.create(output.members[0]) as sink:
                sink.write(np.ascontiguousarray(values, np.uint8).tobytes())


def _columns(pieces: Mapping[str, np.ndarray]) -> pa.RecordBatch:
    columns = {}
    for part, piece in pieces.items():
        if part == "image":
            planes = piece.reshape(-1, *PLANES).swapaxes(2, 3)
            columns[part] = nested(channels_last(planes))
        else:
            columns[part] = pa.array(piece[:, 0])
    return pa.RecordBatch.from_pydict(columns)


def _only(part: str, files: Mapping[str, Sequence["File"]]) -> "File":
    """The one file of a part."""
    if part in SIZES and len(files.get(part, ())) == 1:
        return files[part][0]
    names = ", ".join(file.name for found in files.values() for file in found)
    reason = f"STL-10 is read from one file for image and one for label, not for {', '.join(files)}"
    raise ReadError(file=names, reason=reason)


def _different_rows(names: Sequence[str], rows: int, counts: Sequence[int]) -> ReadError:
    """One of the files ends before the other."""
    shorter = counts.index(min(counts))
    reason = f"it ends after {rows + counts[shorter]:,} rows, and {names[1 - shorter]} goes on"
    return ReadError(file=names[shorter], reason=reason)
