"""Choose the NumPy arrays of a split that can be columns.

An npz often has more than its rows: class names, a sampling rate, or the mean of all pixels.
"""

from collections import Counter
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import numpy as np

from dshub.datasets.tabular.readers import schema_of
from dshub.errors import DshubError, ReadError
from dshub.publishing.authoring.survey import Entry

_READERS = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}


class Header(NamedTuple):
    """Header of an array.

    Attributes:
        shape: lengths of all axes; empty for a single value.
        dtype: type of the values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype


def usable_arrays(entries: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Return the arrays with the same number of rows, and notes about the others.

    Raises:
        DshubError: no array can be used.
        ReadError: an array is damaged.
    """
    headers = {entry: _read_header(entry) for entry in entries}
    unusable = {entry: why for entry, header in headers.items() if (why := _problem(entry, header))}
    counts = Counter(
        header.shape[0] for entry, header in headers.items() if header and entry not in unusable
    )
    rows = max(counts, key=lambda count: (counts[count], count), default=0)
    if counts and counts[rows] > 1:  # otherwise, the reader reports what differs
        unusable |= {
            entry: f"it has {header.shape[0]:,} rows, but others have {rows:,}"
            for entry, header in headers.items()
            if header and entry not in unusable and header.shape[0] != rows
        }
    usable = [entry for entry in entries if entry not in unusable]
    notes = [f"array {entry.name} is omitted: {why}" for entry, why in unusable.items()]
    if not usable:
        raise DshubError("no array can be used", hint="; ".join(notes))
    return usable, notes


def _read_header(entry: Entry) -> Header | None:
    """Return the header of an array; None if the reader must report what is wrong with it."""
    with entry.file.open() as stream:
        try:
            return _parsed(stream)
        except (ValueError, KeyError):
            return None


def _parsed(stream: BinaryIO) -> Header:
    major, _ = np.lib.format.read_magic(stream)
    shape, _, dtype = _READERS[major](stream)
    return Header(shape, dtype)


def _problem(entry: Entry, header: Header | None) -> str:
    """Return why an array cannot be a column, or an empty string."""
    if header is None:
        return ""
    if not header.shape:
        return "it is a single value, not one for each row"
    if header.dtype.kind in "biuf":
        return ""
    if header.dtype.hasobject:
        return "it has Python objects, which can run code when they are read"
    try:
        schema_of("npz", entry.file)
    except ReadError:
        return f"its dtype is {header.dtype}, which is not supported"
    return ""
