"""Rows out of files: one file per format.

A reader is a frozen value: its fields are the options a manifest may give it. It is handed the
files of a split under the names the manifest uses (its *parts*), and yields record batches of
moderate size whose columns are named after what it found. It knows nothing of features: making
columns fit them is done afterwards, in one place for all formats.

Every reader can also write its format, from the same batches. That is how stand-ins are made,
and how each reader is tested round trip.

A new format is a new file here that defines `Reader`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, ClassVar, Protocol, runtime_checkable

import msgspec
import pyarrow as pa

from dshub import plugins
from dshub.errors import ManifestError
from dshub.manifest import Fault


class File(Protocol):
    """Something to read: what it is called, and its plain bytes."""

    @property
    def name(self) -> str: ...
    def open(self) -> AbstractContextManager[BinaryIO]:
        """The bytes from the beginning. Raises ReadError, also while they are read."""


@runtime_checkable
class Reader(Protocol):
    """What a module here offers as `Reader`: a frozen msgspec Struct of its options.

    Attributes:
        revision: raised by hand whenever the same files would yield other rows, or the same rows
            in another form; tables prepared by an older revision are then prepared anew.
    """

    revision: ClassVar[int]

    def read(self, files: Mapping[str, Sequence[File]]) -> Iterator[pa.RecordBatch]:
        """The rows, in the order of the files.

        Args:
            files: the files of each part.

        Raises:
            ReadError: a file is not what its format promises; says where.
        """

    def write(self, rows: pa.RecordBatch, parts: Mapping[str, BinaryIO]) -> None:
        """Write rows so that `read` of the parts gives them again."""


def create(options: Mapping[str, Any], *, place: str = "reader") -> Reader:
    """The reader that a manifest's `reader = { format = …, … }` describes.

    Raises:
        ManifestError: an option is unknown or of the wrong type; `place` says where.
        UnknownNameError: there is no such format.
    """
    options = dict(options)
    name = options.pop("format")
    kind = plugins.module("readers", name).Reader
    try:
        reader: Reader = msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        fault = Fault(place, f"format {name!r}: {error}")
        raise ManifestError(source="the manifest", faults=[fault]) from None
    return reader
