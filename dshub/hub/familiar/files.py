"""Read and write single files, as in `to_csv` and `from_csv`."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from dshub import plugins
from dshub.cache.disk import disk_faults
from dshub.datasets.dataset import Dataset
from dshub.export import Rows

_BLOCK = 1024  # rows per write


def read_table(reader: Callable[[Any], pa.Table], path: Any) -> pa.Table:
    """Read one or several files into a table."""
    paths = path if isinstance(path, list | tuple) else [path]
    for file in paths:
        with disk_faults(Path(file), "read"):
            Path(file).stat()
    return pa.concat_tables([reader(file) for file in paths])


def write_file(dataset: Dataset, to: str, path: str | Path) -> None:
    """Write all rows into one file.

    Raises:
        DshubError: the format cannot hold a column.
        StoreError: the file cannot be written.
    """
    exporter, target = plugins.module("export", to).exporter, Path(path)
    rows = Rows(dataset.decode(on=False), target.name, 0, len(dataset), _BLOCK)
    exporter.check(rows)
    with disk_faults(target, "write"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            file = Path(folder) / "rows"
            exporter.write(file, rows)
            file.with_suffix(exporter.suffixes[-1]).replace(target)
