"""Datasets that are to stay: a small file for each, so that any process sees them."""

import time
from contextlib import suppress

from dshub.store import layout
from dshub.store.faults import disk_faults
from dshub.store.store import Store


def pinned(store: Store) -> set[str]:
    """The names that are pinned in the cache that is written to."""
    bucket = store.root / layout.PINS
    found = bucket.rglob(f"*{layout.PIN_SUFFIX}")
    return {
        path.relative_to(bucket).as_posix().removesuffix(layout.PIN_SUFFIX)
        for path in found
        if path.is_file() and layout.is_ours(path.relative_to(store.root))
    }


def pin(store: Store, name: str) -> None:
    """Pin a dataset; one that is pinned stays so.

    Raises:
        StoreError: the cache cannot be written.
    """
    if name not in pinned(store):
        words = f"pinned {time.strftime('%Y-%m-%d %H:%M:%S')}; `dshub cache unpin {name}` ends it\n"
        store.write_text(layout.pin_path(name), words.encode())


def unpin(store: Store, name: str) -> None:
    """Let a dataset go again.

    Raises:
        StoreError: the cache cannot be written.
    """
    path = store.root / layout.pin_path(name)
    with disk_faults(path, "remove"), suppress(FileNotFoundError):
        path.unlink()
