"""Name the original files of rows, for errors; tables do not store these names.

The names are read again from the raw files, if they are still in the cache or where they were
imported from. Contents are not read.
"""

from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from dshub.cache.paths import TABLE_FILE, TABLES
from dshub.cache.store import Store
from dshub.catalog.manifest import LOCAL
from dshub.errors import DshubError
from dshub.settings import Settings
from dshub.tables.building import file_names
from dshub.tables.recipe import Origin, origins, recipe
from dshub.tables.record import TableRecord


def original_file(folder: Path, column: str, row: int) -> str:
    """Return the name of the original file of a row, or an empty text if it is unknown.

    Args:
        folder: folder of the table in a cache.
        column: column of encoded files.
        row: number of the row in the table.
    """
    names = _names(folder, column)
    if names is None or row >= len(names):
        return ""
    return bytes(names[row].as_py()).decode(errors="replace")


@lru_cache(maxsize=8)  # an epoch can have many bad rows
def _names(folder: Path, column: str) -> pa.ChunkedArray | None:
    """Return the names of all rows of a table, or None if they are unknown."""
    try:
        record = TableRecord.read(folder / TABLE_FILE)
        store = _store_of(folder)
        origin = None if store is None else _origin(record, store)
        if store is None or origin is None:
            return None
        resources = origin.manifest.split_resources((record.split,))
        paths = {name: store.file(item) for name, item in resources.items() if name != LOCAL}
        present = {name: path for name, path in paths.items() if path is not None}
        if len(present) < len(paths):
            return None
        names = file_names(origin, record.split, present, column)
    except (DshubError, OSError):  # the error that needs the name matters more
        return None
    return names if names is not None and len(names) == record.rows else None


def _store_of(folder: Path) -> Store | None:
    """Return the cache that contains a table, with its layers."""
    root = next((path.parent for path in folder.absolute().parents if path.name == TABLES), None)
    settings = Settings.read()
    return None if root is None else Store(root, (*settings.site_caches, settings.cache))


def _origin(record: TableRecord, store: Store) -> Origin | None:
    """Return the origin that a table was built from."""
    for origin in origins(record.manifest, record.split, store):
        is_local = LOCAL in origin.manifest.split_resources((record.split,))
        if is_local and origin.record is None:
            continue
        if recipe(origin.manifest, record.split).content == record.recipe:
            return origin
    return None
