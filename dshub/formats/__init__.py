"""Read and write rows in files, with one reader for each format.

A reader is a frozen value whose fields are the options that a manifest can give it. It gets the
files of a split under the names that the manifest uses (its *parts*), and yields record batches of
moderate size, whose columns have the names in the files or options. It does not know features: one
place converts the columns of all formats, `dshub.tables.conforming.conform`.

Every reader can also write its format, from the same batches. Synthetic data is made like this,
and each reader is tested round trip.

A column holds

* numbers, in their own type; fixed-size lists of them for arrays; or text that states numbers;
* classes as integers, or as the text that upstream writes for them;
* text as `string`;
* encoded images and audio as `binary`;
* lists of text or of numbers as `list`.

A new format is a new module here that defines `Reader`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, ClassVar, Protocol, runtime_checkable

import msgspec
import numpy as np
import pyarrow as pa

from dshub import plugins
from dshub.catalog.faults import Fault
from dshub.errors import ManifestError


class File(Protocol):
    """A file to read.

    Attributes:
        name: for messages.
        member: its name in the archive, such as `train/cat/1.jpg`; empty outside an archive.
    """

    @property
    def name(self) -> str: ...
    @property
    def member(self) -> str: ...
    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open the decompressed bytes. Raises ReadError, also while they are read."""

    def check_size(self, size: int) -> None:
        """Compare the size of the content in memory with the limits of the resource.

        Readers of formats that compress or repeat values call it with the size that a header
        promises, before they read the content, and with the size of the content read so far.

        Raises:
            UnsafeArchiveError: a file of this size is not allowed to expand so much.
        """


class Output(Protocol):
    """The output files of one part.

    Attributes:
        members: file names as in the manifest, in order: `""` for a file outside an archive, a
            member's name, or one pattern for any number of members.
    """

    @property
    def members(self) -> Sequence[str]: ...
    def create(self, member: str) -> AbstractContextManager[BinaryIO]:
        """Create a file, named as one of `members` or matching the pattern."""


@runtime_checkable
class Reader(Protocol):
    """A format: a frozen msgspec Struct of its options, called `Reader` in its module.

    If a change makes the same files yield other rows, or the same rows in another form, raise the
    reader's number in `dshub.tables.recipe.REVISIONS`; in another package, the class attribute
    `revision` (default 1). Tables of an older revision are not used again.

    Attributes:
        text_labels: whether `write` expects classes as text (codes or names), because such files
            hold text, instead of upstream's numbers.
    """

    text_labels: ClassVar[bool]

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        """Yield the rows, in the order of the files.

        Check options and parts before using a file: `dshub check` has no files.

        Args:
            files: the files of each part.

        Raises:
            ReadError: a file violates its format; the message says where.
        """

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Add the columns that the options name and `rows` lack, for `write`.

        Their values are made up, and differ between rows if the type allows it.

        Args:
            first: the number of the first row; no two rows that are written share a number.
        """

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        """Write completed rows, so that `read` of the parts returns them."""


@runtime_checkable
class Skipping(Protocol):
    """A reader that can find rows without reading those before them."""

    def skip_rows(
        self, files: Mapping[str, Sequence[File]], count: int
    ) -> Mapping[str, Sequence[File]]:
        """Drop leading files, so that `read` yields all rows but the first `count`."""


def create(options: Mapping[str, Any], *, place: str = "reader") -> Reader:
    """Create the reader that a manifest's `reader = { format = …, … }` describes.

    Args:
        options: the format and its options.
        place: the place in the manifest, for errors.

    Raises:
        ManifestError: an option is unknown or has the wrong type.
        UnknownNameError: there is no such format.
        MissingExtraError: the format needs a package that is not installed.
    """
    options = dict(options)
    name = options.pop("format")
    kind = plugins.module("formats", name).Reader
    try:
        reader: Reader = msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        fault = Fault(place, f"format {name!r}: {error}")
        raise ManifestError(source="the manifest", faults=[fault]) from None
    return reader


def nested(array: np.ndarray) -> pa.Array:
    """Turn (rows, *shape) into nested fixed-size lists, without a copy if it is contiguous."""
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column
