"""The binary files of STL-10.

Layout, from the STL-10 page: images without a header, each 96x96 values of red, then green, then
blue, stored column by column as in MATLAB. A separate file has the labels, one byte each, from 1
to 10.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import zip_longest

import numpy as np
import pyarrow as pa

from dshub.errors import ReadError
from dshub.formats import File, Output
from dshub.formats._records import (
    BATCH_BYTES,
    Format,
    as_images,
    flat,
    mismatch,
    names_of,
    only_file,
    records,
)

PLANES = (3, 96, 96)
SIZES = {"image": 3 * 96 * 96, "label": 1}  # bytes per row


class Reader(Format, frozen=True):
    """Read `image`, uint8 (96, 96, 3), and `label`, uint8, from the parts of these names.

    The part `label` is optional, because some images have no labels.
    """

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        if "image" not in files or not files.keys() <= SIZES.keys():
            parts = ", ".join(files) or "none"
            raise mismatch(names_of(files), f"STL-10 has the parts image and label, not {parts}")
        only_files = {part: only_file(part, of_part) for part, of_part in files.items()}
        step, rows = BATCH_BYTES // SIZES["image"], 0
        with ExitStack() as stack:
            streams = [
                records(file, stack.enter_context(file.open()), SIZES[part], step=step)
                for part, file in only_files.items()
            ]
            names = [file.name for file in only_files.values()]
            for pieces in zip_longest(*streams, fillvalue=()):
                counts = list(zip(map(len, pieces), names, strict=True))
                (count, shorter), (most, longer) = min(counts), max(counts)
                if count < most:
                    reason = f"it ends after {rows + count:,} rows, but {longer} continues"
                    raise ReadError(file=shorter, reason=reason)
                rows += count
                columns = map(_column, only_files, pieces)
                yield pa.RecordBatch.from_arrays(list(columns), names=list(only_files))

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        for part, output in parts.items():
            values = flat(rows, part, where=f"STL-10 part {part}")
            if part == "image":
                values = values.transpose(0, 3, 2, 1)
            with output.create(output.members[0]) as sink:
                sink.write(np.ascontiguousarray(values, np.uint8).tobytes())


def _column(part: str, values: np.ndarray) -> pa.Array:
    if part == "label":
        return pa.array(values[:, 0])
    return as_images(values.reshape(-1, *PLANES).swapaxes(2, 3))
