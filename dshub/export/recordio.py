r"""Export to MXNet's RecordIO without MXNet: each record is an image, audio or text with a label.

Each file of records has an index with lines `<key>\t<offset>`. Keys are row numbers.

`recordio.h` of dmlc-core defines the framing: a magic number, the length with three bits for the
kind of part, the data, and zeros up to a multiple of 4 bytes. Data that contains the magic number
at a multiple of 4 bytes is split there. `mxnet.recordio` defines the header of a record, which is a
flag, a label and two identifiers.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from dshub.catalog.features import TextFeature
from dshub.errors import DshubError
from dshub.export._rows import Exporter, Rows, as_file, content_and_label, is_file

_MAGIC = struct.pack("<I", 0xCED7230A)
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)  # kinds of record parts
_MAX_BYTES = (1 << 29) - 1  # bytes of a part, because its length has 29 bits
_HEADER = struct.Struct("<IfQQ")  # flag (0: one label), label, identifier, second identifier


class RecordIo(Exporter):
    """Exporter of RecordIO shards, each with an index."""

    suffixes = (".idx", ".rec")

    def check(self, rows: Rows) -> None:
        _columns(rows)

    def write(self, path: Path, rows: Rows) -> None:
        content, label = _columns(rows)
        with (
            path.with_suffix(".rec").open("wb") as sink,
            path.with_suffix(".idx").open("w", encoding="ascii", newline="\n") as index,
        ):
            for number, row in rows.each():
                index.write(f"{number}\t{sink.tell()}\n")
                value = row[content]
                data = value.encode() if isinstance(value, str) else as_file(value)
                header = _HEADER.pack(0, float(row[label]) if label else 0.0, number, 0)
                if len(header + data) > _MAX_BYTES:
                    raise DshubError(
                        f"{rows.title}, row {number} is too large for RecordIO",
                        hint="export to parquet, arrow or webdataset",
                    )
                sink.writelines(_frame(header + data))


def _columns(rows: Rows) -> tuple[str, str | None]:
    return content_and_label(
        rows,
        lambda feature: is_file(feature) or isinstance(feature, TextFeature),
        "a record holds one image, audio or text, and one label",
    )


def _frame(data: bytes) -> Iterator[bytes]:
    """Yield the parts of a record, which is split at each magic number."""
    matches = re.finditer(re.escape(_MAGIC), data)
    cuts = [match.start() for match in matches if match.start() % 4 == 0]
    starts, ends = [0, *(cut + len(_MAGIC) for cut in cuts)], [*cuts, len(data)]
    kinds = [_FIRST, *[_MIDDLE] * (len(cuts) - 1), _LAST] if cuts else [_WHOLE]
    for kind, start, end in zip(kinds, starts, ends, strict=True):
        yield _MAGIC + struct.pack("<I", kind << 29 | end - start)
        yield data[start:end] + bytes((start - end) % 4)


exporter = RecordIo()
