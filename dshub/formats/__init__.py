"""Rows out of files: one file per format.

A reader is a frozen value: its fields are the options a manifest may give it. It is handed the
files of a split under the names the manifest uses (its *parts*), and yields record batches of
moderate size whose columns are named after what it found. It knows nothing of features: making
columns fit them is done afterwards, in one place for all formats.

Every reader can also write its format, from the same batches. That is how stand-ins are made,
and how each reader is tested round trip.

What a column holds, as readers give it and as `dshub.tables.conforming.conform` takes it:

* numbers, in their own type; fixed-size lists of them for arrays; or the text that stands there;
* a class as a whole number, or as the text that upstream writes for it;
* text as `string`;
* a picture or a recording that is kept as a file as `binary`;
* lists of text or of numbers as `list`.

A new format is a new file here that defines `Reader`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, ClassVar, Protocol, runtime_checkable

import msgspec
import pyarrow as pa

from dshub import plugins
from dshub.catalog.faults import Fault
from dshub.errors import ManifestError


class File(Protocol):
    """Something to read: what it is called, and its plain bytes.

    Attributes:
        name: for messages.
        member: its name in the archive, such as `train/cat/1.jpg`; empty for a file in none.
    """

    @property
    def name(self) -> str: ...
    @property
    def member(self) -> str: ...
    def open(self) -> AbstractContextManager[BinaryIO]:
        """The bytes from the beginning. Raises ReadError, also while they are read."""

    def check_size(self, size: int) -> None:
        """Compare the bytes that its content takes in memory with the limits of the resource.

        For readers of formats that compress or repeat values: of what a header promises, before
        it is read, and of what was read so far.

        Raises:
            UnsafeArchiveError: a file of this size may not unpack to so many bytes.
        """


class Output(Protocol):
    """Where the files of one part are written.

    Attributes:
        members: what the manifest says of them, in order: `""` for a file in no archive, a
            member's name, or one pattern for as many members as there are.
    """

    @property
    def members(self) -> Sequence[str]: ...
    def create(self, member: str) -> AbstractContextManager[BinaryIO]:
        """A new file: one of `members`, or a name that the pattern fits."""


@runtime_checkable
class Reader(Protocol):
    """What a module here offers as `Reader`: a frozen msgspec Struct of its options.

    Whenever the same files would yield other rows, or the same rows in another form, raise the
    reader's number in `dshub.tables.recipe.REVISIONS`; in another package, the class
    attribute `revision` (1 where there is none). Tables of an older revision are not used again.

    Attributes:
        text_labels: whether `write` wants classes as text (codes or names), because such files
            hold text, or as the numbers that upstream gives them.
    """

    text_labels: ClassVar[bool]

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        """The rows, in the order of the files.

        Args:
            files: the files of each part.

        Raises:
            ReadError: a file is not what its format promises; says where.
        """

    def complete(self, rows: pa.RecordBatch, first: int) -> pa.RecordBatch:
        """Rows with the columns that such files have besides, for `write`.

        What the options name and `rows` lack is made up, so that no two rows have the same.

        Args:
            first: a number that differs for every row that is written: those of these rows are
                `first`, `first + 1` and so on.
        """

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, Output]) -> None:
        """Write rows, completed ones, so that `read` of the parts gives them again."""


@runtime_checkable
class Skipping(Protocol):
    """What a reader offers besides, whose rows can be found without reading those before."""

    def skip_rows(
        self, files: Mapping[str, Sequence[File]], count: int
    ) -> Mapping[str, Sequence[File]]:
        """The files, without the first ones, of which `read` gives all rows but so many."""


def create(options: Mapping[str, Any], *, place: str = "reader") -> Reader:
    """The reader that a manifest's `reader = { format = …, … }` describes.

    Raises:
        ManifestError: an option is unknown or of the wrong type; `place` says where.
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
