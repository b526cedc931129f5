"""Record and check accepted terms of datasets.

The writable cache stores a checksum of the accepted text, so that users must accept again if the
terms change. Read-only caches are ignored, because other users accepted the terms there.
"""

import time
from collections.abc import Sequence
from contextlib import suppress

from dshub.cache.files import read_file
from dshub.cache.paths import terms_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.catalog.names import plain
from dshub.checksums import Digest


def are_accepted(manifest: Manifest, store: Store, accepted: Sequence[str] = ()) -> bool:
    """Return True if a dataset has no terms or its terms are accepted.

    Args:
        manifest: the dataset.
        store: cache that records accepted terms.
        accepted: datasets and families with accepted terms.
    """
    if not manifest.license.terms or manifest.synthetic:
        return True
    names = {manifest.name, manifest.name.partition("/")[0]}
    if set(map(plain, names)) & set(map(plain, accepted)):
        return True
    with suppress(OSError, UnicodeDecodeError):
        note = read_file(store.root / terms_path(manifest.name)).decode("ascii")
        return note.split()[:1] == [_digest(manifest)]
    return False


def accept(manifest: Manifest, store: Store) -> None:
    """Record that the terms of a dataset are accepted.

    Raises:
        StoreError: the cache cannot be written.
    """
    note = f"{_digest(manifest)} accepted {time.strftime('%Y-%m-%d %H:%M:%S')}\n"
    store.write_text(terms_path(manifest.name), note.encode())


def _digest(manifest: Manifest) -> str:
    return str(Digest.of_bytes((manifest.license.terms or "").encode()))
