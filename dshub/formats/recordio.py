r"""MXNet's RecordIO files (`.rec`), as `im2rec` writes them: content with a label and a number.

`recordio.h` of dmlc-core defines the framing: a magic number, the length with three bits for the
kind of part, the data, and zeros up to a multiple of 4 bytes. Data that contains the magic number
at a multiple of 4 bytes is split there. `mxnet.recordio` defines the header of a record: a flag, a
label and two identifiers. A flag above 0 is the number of labels, which follow the header.

The index of a file (`.idx`) is not needed to read it.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa

from dshub.errors import ReadError, SchemaError
from dshub.formats import File, Output
from dshub.formats._ragged import array_column
from dshub.formats._records import BATCH_BYTES, Format, check_columns, mismatch, only_part, spread
from dshub.formats._texts import BATCH_ROWS

MAGIC = struct.pack("<I", 0xCED7230A)
LARGEST_PART = (1 << 29) - 1  # bytes of a part, because its length has 29 bits
HEADER = struct.Struct("<IfQQ")  # flag, label, identifier, second identifier
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)  # kinds of record parts
_LARGEST_RECORD = 1 << 30  # bytes; Arrow's offsets are 32 bits wide
_PIECE = 1 << 20  # bytes per read, because a declared length can be wrong


class Reader(Format, frozen=True):
    """Read the only part: its content in a column of that name, and the columns `label` and `id`.

    Attributes:
        label: `class` for class numbers, `number` for one float32, or `list` for any number of
            float32 values.
        text: whether the content is UTF-8 text instead of bytes.
    """

    label: Literal["class", "number", "list"] = "class"
    text: bool = False

    def filled(self) -> Sequence[str]:
        return () if self.label == "list" else ("label",)

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        part, of_part = only_part(files)
        if part in {"label", "id"}:
            raise mismatch(part, f"the part {part!r} is also a column of the records")
        rows: list[tuple[Any, Any, int]] = []
        size = 0
        for file in of_part:
            for number, record in enumerate(records(file)):
                if rows and (size + len(record) > BATCH_BYTES or len(rows) == BATCH_ROWS):
                    yield self._batch(part, rows)
                    rows, size = [], 0
                rows.append(self._row(record, file, number))
                size += len(record)
        if rows:
            yield self._batch(part, rows)

    def _row(self, record: bytes, file: File, number: int) -> tuple[Any, Any, int]:
        place = f"record {number:,}"
        if len(record) < HEADER.size:
            raise ReadError(file=file.name, reason=f"{place} is shorter than its header")
        flag, single, identifier, _ = HEADER.unpack_from(record)
        content = HEADER.size + 4 * flag
        if content > len(record):
            raise ReadError(file=file.name, reason=f"{place} ends within its {flag:,} labels")
        labels = np.frombuffer(record, "<f4", flag, HEADER.size).astype(np.float32)
        label = self._label(labels if flag else np.array([single], np.float32), file, place)
        data: bytes | str = record[content:]
        if self.text:
            try:
                data = record[content:].decode()
            except UnicodeDecodeError:
                raise ReadError(file=file.name, reason=f"{place} is not UTF-8") from None
        return data, label, identifier

    def _label(self, labels: np.ndarray, file: File, place: str) -> Any:
        if self.label == "list":
            return labels
        if len(labels) != 1:
            reason = f"{place} has {len(labels):,} labels"
            hint = 'set label = "list" in the reader of the manifest'
            raise ReadError(file=file.name, reason=reason, hint=hint)
        label = float(labels[0])
        if self.label == "number":
            return label
        if label != label or not label.is_integer() or abs(label) > 1 << 24:  # noqa: PLR0124
            reason = f"{place} has the label {label}, which is not a class number"
            hint = 'set label = "number" in the reader of the manifest'
            raise ReadError(file=file.name, reason=reason, hint=hint)
        return int(label)

    def _batch(self, part: str, rows: Sequence[tuple[Any, Any, int]]) -> pa.RecordBatch:
        contents, labels, numbers = zip(*rows, strict=True)
        if self.label == "list":
            label = array_column(labels, None)
        else:
            label = pa.array(labels, pa.int64() if self.label == "class" else pa.float32())
        content = pa.array(contents, pa.string() if self.text else pa.binary())
        identifiers = pa.array(numbers, pa.uint64())
        return pa.RecordBatch.from_pydict({part: content, "label": label, "id": identifiers})

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        part, output = only_part(parts)
        check_columns(rows, [part, "label"], where=f"RecordIO part {part}")
        number = 0
        for sink, some in spread(rows, output):
            for row in some.to_pylist():
                data = row[part].encode() if isinstance(row[part], str) else row[part]
                sink.writelines(framed(_header(row, row.get("id", number)) + data))
                number += 1


def _header(row: Mapping[str, Any], number: int) -> bytes:
    label = row["label"]
    if not isinstance(label, list):
        return HEADER.pack(0, float(label), number, 0)
    if not label:
        raise SchemaError(where="column label", expected="at least one label", got="none")
    return HEADER.pack(len(label), 0.0, number, 0) + np.array(label, "<f4").tobytes()


def records(file: File) -> Iterator[bytes]:
    """Yield the data of each record.

    Raises:
        ReadError: the file is truncated, or is not RecordIO.
    """
    offset, number = 0, 0
    parts: list[bytes] = []
    with file.open() as stream:
        while head := stream.read(8):
            place = f"record {number:,}, at byte {offset:,}"
            if len(head) < 8 or head[:4] != MAGIC:
                raise ReadError(file=file.name, reason=f"{place}: it does not begin as a record")
            (word,) = struct.unpack("<I", head[4:])
            kind, length = word >> 29, word & LARGEST_PART
            data = _part(stream, length)
            if data is None or sum(map(len, parts)) + length > _LARGEST_RECORD:
                raise ReadError(file=file.name, reason=f"{place}: the file ends within it")
            if kind > _LAST or (kind in {_MIDDLE, _LAST}) != bool(parts):
                raise ReadError(file=file.name, reason=f"{place}: its parts are out of order")
            parts.append(data)
            offset += 8 + length + -length % 4
            if kind in {_WHOLE, _LAST}:
                yield MAGIC.join(parts)
                parts, number = [], number + 1
    if parts or not number:
        raise ReadError(
            file=file.name, reason="it ends within a record" if parts else "it is empty"
        )


def _part(stream: BinaryIO, length: int) -> bytes | None:
    """Read the data of a part and its padding; return None at the end of the file."""
    pieces, left = [], length + -length % 4
    while left and (piece := stream.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return None if left else b"".join(pieces)[:length]


def framed(data: bytes) -> Iterator[bytes]:
    """Yield the parts of a record, which is split at each magic number."""
    matches = re.finditer(re.escape(MAGIC), data)
    cuts = [match.start() for match in matches if match.start() % 4 == 0]
    starts, ends = [0, *(cut + len(MAGIC) for cut in cuts)], [*cuts, len(data)]
    kinds = [_FIRST, *[_MIDDLE] * (len(cuts) - 1), _LAST] if cuts else [_WHOLE]
    for kind, start, end in zip(kinds, starts, ends, strict=True):
        yield MAGIC + struct.pack("<I", kind << 29 | end - start)
        yield data[start:end] + bytes((start - end) % 4)
