"""Read and write dataset rows in files, with one reader per format.

A reader is a frozen struct of the format options in a manifest. It receives the files of a split
under their names in the manifest (its *parts*) and yields record batches of moderate size. The
files or the options name the columns. Readers ignore features, because
`dshub.tables.conforming.conform` converts the columns of every format.

Every reader also writes its format from the same batches, for synthetic data and round-trip tests.

A column contains

* numbers in the type of the file, in fixed-size lists for arrays, or as text;
* classes as integers or as upstream's text;
* text as `string`;
* encoded images and audio as `binary`;
* lists of text or numbers as `list`.

To add a format, add a module here that defines `Reader`.
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
    """An input file of a reader.

    Attributes:
        name: file name for messages.
        member: name in the archive, such as `train/cat/1.jpg`; empty outside an archive.
    """

    @property
    def name(self) -> str: ...
    @property
    def member(self) -> str: ...
    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open the decompressed bytes; opening and reading raise ReadError if they are damaged."""

    def check_size(self, size: int) -> None:
        """Check the size of the content in memory against the limits of the resource.

        Readers of formats that compress or repeat values call this with the size in a header
        before they read the content, and again with the size read so far.

        Raises:
            UnsafeArchiveError: the content is too large for a file of this size.
        """


class Output(Protocol):
    """The output files of one part.

    Attributes:
        members: file names from the manifest, in order: `""` for a file outside an archive, the
            name of a member, or one pattern for any number of members.
    """

    @property
    def members(self) -> Sequence[str]: ...
    def create(self, member: str) -> AbstractContextManager[BinaryIO]:
        """Create a file with a name from `members`, or one that matches the pattern."""


@runtime_checkable
class Reader(Protocol):
    """A reader and writer of one format: a frozen msgspec Struct of its options.

    The class is named `Reader` in its module. If a change makes the same files yield different
    rows, increase the reader's number in `dshub.tables.recipe.REVISIONS` or, in other packages,
    the class attribute `revision` (default 1). Tables of older revisions are not reused.

    Attributes:
        text_labels: whether `write` expects classes as text (codes or names) instead of
            upstream's numbers, because the files contain text.
    """

    text_labels: ClassVar[bool]

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        """Yield the rows in file order.

        Check options and parts before opening a file, because `dshub check` passes no files.

        Args:
            files: files of each part.

        Raises:
            ReadError: a file violates its format; the message gives the position.
        """

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Add the columns that `write` needs and `rows` lacks.

        The values are synthetic, and differ between rows if the type allows it.

        Args:
            first: number of the first row; all rows in a split have different numbers.
        """

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        """Write completed rows so that `read` returns them."""


@runtime_checkable
class Skipping(Protocol):
    """A reader that can skip rows without reading them."""

    def skip_rows(
        self, files: Mapping[str, Sequence[File]], count: int
    ) -> Mapping[str, Sequence[File]]:
        """Drop leading files, so that `read` skips the first `count` rows."""


@runtime_checkable
class Describing(Protocol):
    """A reader of images with annotations, which can read the annotations alone."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of a row, without the image."""

    def described(
        self, files: Mapping[str, Sequence[File]]
    ) -> Iterator[tuple[File, dict[str, Any]]]:
        """Yield the image and the other columns of each row, without reading the image."""

    def table(self, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
        """Convert rows to the columns of `schema`."""


@runtime_checkable
class Naming(Protocol):
    """A reader whose rows are files, which it can name without reading them."""

    def read_names(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        """Yield the same rows as `read`, with the name of each file instead of its content."""


def create(options: Mapping[str, Any], *, place: str = "reader") -> Reader:
    """Create the reader that `reader = { format = …, … }` in a manifest describes.

    Args:
        options: `format` and the options of that format.
        place: position in the manifest, for errors.

    Raises:
        ManifestError: an option is unknown or has the wrong type.
        UnknownNameError: the format does not exist.
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
    """Convert an array to nested fixed-size lists, without a copy if it is contiguous."""
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for length in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column
