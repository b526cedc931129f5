"""Read HDF5 files, in which each dataset with a common first axis is a column.

h5py and the HDF5 library do the reading: https://docs.hdfgroup.org/hdf5/v1_14/_f_m_t3.html
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa

from dshub.datasets.sources import ColumnSource
from dshub.datasets.tabular.files import LooseFile, find_files
from dshub.datasets.tabular.options import TableOptions
from dshub.datasets.tabular.reading import read_batches
from dshub.errors import DshubError, ReadError, needs
from dshub.formats import nested

SUFFIXES = (".h5", ".hdf5", ".hdf")
_BATCH_BYTES = 8 << 20
_MOST_DATASETS = 10_000  # maximum datasets of a file
_HINT = "check that it is a complete HDF5 file"


def read_hdf5(options: TableOptions) -> ColumnSource:
    """Read HDF5 files into columns, named by the paths of their datasets.

    Datasets that are not text or numbers, and those with other numbers of rows, are left out with
    a warning.

    Raises:
        MissingExtraError: h5py is not installed.
        ReadError: a file is not HDF5, is damaged, or has no datasets of equal length.
        SchemaError: a value does not fit its feature.
    """
    files = find_files(options.path, SUFFIXES)
    notes: list[str] = []
    return read_batches(_batches(files, notes), options, files=files, notes=notes)


def _batches(files: Sequence[LooseFile], notes: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files; notes about datasets that are left out are appended to `notes`."""
    for file in files:
        with _opened(file) as root, _translated(file):
            columns = _columns(file, root, notes)
            rows = next(iter(columns.values())).shape[0]
            row_bytes = sum(prod(item.shape[1:]) * item.dtype.itemsize for item in columns.values())
            step = max(1, _BATCH_BYTES // max(1, row_bytes))
            for start in range(0, rows, step):
                pieces = {name: _values(item, start, step) for name, item in columns.items()}
                yield pa.RecordBatch.from_pydict(pieces)


@contextmanager
def _opened(file: LooseFile) -> Iterator[Any]:
    with needs("h5py", extra="hdf5"):
        import h5py
    with ExitStack() as stack:
        with _translated(file):
            root = stack.enter_context(h5py.File(file.path, "r"))
        yield root


@contextmanager
def _translated(file: LooseFile) -> Iterator[None]:
    """Convert the errors of h5py to a ReadError with the name of the file."""
    try:
        yield
    except DshubError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ReadError(file=file.name, reason=f"h5py: {error}", hint=_HINT) from error


def _columns(file: LooseFile, root: Any, notes: list[str]) -> Mapping[str, Any]:
    """Return the datasets that are columns, by path."""
    found: dict[str, Any] = {}

    def visit(path: str, item: Any) -> None:
        if hasattr(item, "dtype") and len(found) < _MOST_DATASETS:
            found[path] = item

    root.visititems(visit)
    usable = {path: item for path, item in found.items() if item.shape and _kind(item)}
    lengths = Counter(item.shape[0] for item in usable.values())
    rows = max(lengths, key=lambda length: (lengths[length], length), default=0)
    columns = {path: item for path, item in usable.items() if item.shape[0] == rows}
    if not rows or (len(lengths) > 1 and lengths[rows] == 1):
        shapes = ", ".join(f"{path} {item.shape}" for path, item in islice(found.items(), 5))
        reason = f"it has no datasets of text or numbers with equal numbers of rows: {shapes}"
        raise ReadError(file=file.name, reason=reason, hint="pass arrays to Dataset.from_arrays")
    for path, item in found.items():
        if path not in columns:
            what = f"{item.shape} {item.dtype}" if item.shape else "a single value"
            notes.append(f"dataset {path!r} is omitted: it is {what}, not one of {rows:,} rows")
    return columns


def _kind(item: Any) -> str:
    """Return `number` or `text`; empty for other datasets."""
    if item.dtype.kind in "biuf" and item.dtype.itemsize <= 8:
        return "number"
    is_text = item.dtype.kind == "S" or (item.dtype.kind == "O" and _is_string(item))
    return "text" if is_text and len(item.shape) == 1 else ""


def _is_string(item: Any) -> bool:
    metadata = item.dtype.metadata or {}
    return metadata.get("vlen") in {str, bytes}


def _values(item: Any, start: int, step: int) -> pa.Array:
    if _kind(item) == "text":
        return pa.array([text.decode() for text in item[start : start + step]], pa.string())
    values = item[start : start + step]
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return nested(native.astype(np.float32) if native.dtype == np.float16 else native)
