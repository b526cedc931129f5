r"""MXNet's RecordIO, without MXNet: a picture, recording or text with a label in each record.

Beside the records lies an index, `<key>\t<offset>` a line, keys being the numbers of the rows.

Sources: `recordio.h` of dmlc-core for the framing, which is a magic number, the length with three
bits of what kind of part it is, the data, and zeros up to a multiple of 4 bytes; data that hold
the magic number at such a place are cut there into parts. `mxnet.recordio` for the header of a
record: flag, label, and two identifiers.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dshub.catalog.features import LabelFeature, TextFeature
from dshub.errors import DshubError
from dshub.export._rows import Rows, as_file, chosen, is_file, kind_of, refuse

_MAGIC = struct.pack("<I", 0xCED7230A)
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)  # what a part is of its record
_LARGEST = (1 << 29) - 1  # bytes of a part: the length has 29 bits
_HEADER = struct.Struct("<IfQQ")  # flag (0: one label), label, identifier, second identifier


@dataclass(frozen=True)
class RecordIo:
    """Shards of records, each with its index."""

    kind: Literal["shards"] = "shards"
    suffixes: tuple[str, ...] = (".idx", ".rec")
    revision: int = 1

    def check(self, rows: Rows) -> None:
        _columns(rows)

    def write(self, path: Path, rows: Rows) -> None:
        content, label = _columns(rows)
        index, records = (path.with_name(f"{path.name}{suffix}") for suffix in self.suffixes)
        with records.open("wb") as sink, index.open("w", encoding="ascii", newline="\n") as places:
            for number, row in rows.each():
                places.write(f"{number}\t{sink.tell()}\n")
                header = _HEADER.pack(0, float(row[label]) if label else 0.0, number, 0)
                data = header + _bytes(row[content])
                if len(data) > _LARGEST:
                    raise DshubError(f"{rows.title}, row {number}: too large for RecordIO")
                sink.writelines(_framed(data))


def _columns(rows: Rows) -> tuple[str, str | None]:
    """The columns that are content and label.

    Raises:
        DshubError: there are others, or no content.
    """
    contents = [
        name
        for name, item in rows.features.items()
        if is_file(item) or isinstance(item, TextFeature)
    ]
    labels = chosen(rows, (LabelFeature,))
    for name, feature in rows.features.items():
        if name not in contents[:1] + labels[:1]:
            told = f"holds {kind_of(feature)}; a record has one picture, recording or text, and "
            refuse(rows, name, f"{told}one class")
    if not contents:
        raise DshubError(f"{rows.title}: no column holds a picture, a recording or text")
    return contents[0], labels[0] if labels else None


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else as_file(value)


def _framed(data: bytes) -> Iterator[bytes]:
    """A record: in parts where it holds the magic number, which is left out between them."""
    cuts = [*_cuts(data), len(data)]
    start = 0
    for i, end in enumerate(cuts):
        last = i == len(cuts) - 1
        kind = (_WHOLE if last else _FIRST) if i == 0 else (_LAST if last else _MIDDLE)
        length = end - start
        yield _MAGIC + struct.pack("<I", kind << 29 | length)
        yield data[start:end] + bytes(-length % 4)
        start = end + len(_MAGIC)


def _cuts(data: bytes) -> Iterator[int]:
    """Where the magic number lies at a multiple of 4."""
    at = data.find(_MAGIC)
    while at >= 0:
        if at % 4 == 0:
            yield at
        at = data.find(_MAGIC, at + (4 if at % 4 == 0 else 1))


exporter = RecordIo()
