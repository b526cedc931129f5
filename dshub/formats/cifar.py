"""The binary files of CIFAR-10 and CIFAR-100.

Layout, from the CIFAR page: records without a header. A record has one byte per label and 3,072
bytes per image, which are 32x32 values of red, row by row, then green, then blue. CIFAR-10 has one
label. CIFAR-100 has two, the coarse label first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from dshub.formats import File, Output
from dshub.formats._records import BATCH_BYTES, Format, as_images, flat, only_part, records, spread

PLANES = (3, 32, 32)
PIXELS = 3 * 32 * 32


class Reader(Format, frozen=True):
    """Read `image`, uint8 (32, 32, 3), and labels, uint8, from the only part.

    Attributes:
        labels: column names of the label bytes before each image, in order.
    """

    labels: tuple[str, ...] = ("label",)

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        size = len(self.labels) + PIXELS
        for file in only_part(files)[1]:
            with file.open() as stream:
                for rows in records(file, stream, size, step=BATCH_BYTES // size):
                    planes = rows[:, len(self.labels) :].reshape(-1, *PLANES)
                    columns = {"image": as_images(planes)}
                    columns |= {name: pa.array(rows[:, i]) for i, name in enumerate(self.labels)}
                    yield pa.RecordBatch.from_pydict(columns)

    def filled(self) -> Iterable[str]:
        return self.labels

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for sink, some in spread(rows, only_part(parts)[1]):
            images = flat(some, "image", where="a CIFAR file")
            labels = [flat(some, label, where="a CIFAR file") for label in self.labels]
            planes = images.transpose(0, 3, 1, 2).reshape(len(images), PIXELS)
            sink.write(np.column_stack([*labels, planes]).astype(np.uint8).tobytes())
