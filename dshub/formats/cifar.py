"""The binary files of CIFAR-10 and CIFAR-100.

Layout, as on CIFAR's own page: records without a header. A record is one byte for each label, then
3,072 bytes of a picture: 32x32 values of red, row by row, then green, then blue. CIFAR-10 has one
label, CIFAR-100 two, the coarse one first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from dshub.formats._records import (
    BATCH_BYTES,
    channels_last,
    flat,
    nested,
    only_part,
    records,
    runs,
    with_numbers,
)

if TYPE_CHECKING:
    from dshub.formats import File, Output

PLANES = (3, 32, 32)
PIXELS = 3 * 32 * 32


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reads `image`, uint8 (32, 32, 3), and labels, uint8, from the files of its one part.

    Attributes:
        labels: the names of the bytes before each picture, in order.
    """

    text_labels: ClassVar[bool] = False

    labels: tuple[str, ...] = ("label",)

    def read(self, files: Mapping[str, Sequence["File"]]) -> Iterator[pa.RecordBatch]:
        size = len(self.labels) + PIXELS
        for file in only_part(files, "CIFAR"):
            with file.open() as stream:
                for found in records(file, stream, size, step=BATCH_BYTES // size):
                    yield self._columns(found)

    def _columns(self, found: np.ndarray) -> pa.RecordBatch:
        planes = found[:, len(self.labels) :].reshape(-1, *PLANES)
        columns = {name: pa.array(found[:, i].copy()) for i, name in enumerate(self.labels)}
        return pa.RecordBatch.from_pydict({"image": nested(channels_last(planes)), **columns})

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """A label that no feature asks for holds the row's number."""
        return with_numbers(rows, self.labels, first)

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, "Output"]) -> None:
        (output,) = parts.values()
        for name, some in runs(rows, output):
            pictures = flat(some, "image", where="a CIFAR file")
            labels = [flat(some, label, where="a CIFAR file") for label in self.labels]
            planes = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), PIXELS)
            found = np.concatenate([*(label[:, None] for label in labels), planes], axis=1)
            with output.create(name) as sink:
                sink.write(found.astype(np.uint8).tobytes())
