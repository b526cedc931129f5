"""Terms that upstream wants accepted before its files are fetched: who has accepted which.

Accepting is remembered in the cache that is written to, by the words themselves: where those
change, a person is asked again. A read-only cache of a site says nothing for those who use it.
"""

import time
from collections.abc import Sequence
from contextlib import suppress

from dshub.cache.files import read_file
from dshub.cache.paths import terms_path
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.checksums import Digest


def are_accepted(manifest: Manifest, store: Store, named: Sequence[str] = ()) -> bool:
    """Whether the files of a dataset may be fetched, for all that upstream asks.

    Args:
        manifest: of the dataset.
        store: remembers what was accepted.
        named: datasets and families whose terms are accepted whatever the store remembers.
    """
    if not manifest.license.terms or manifest.synthetic:
        return True
    if {manifest.name, manifest.name.partition("/")[0]} & set(named):
        return True
    with suppress(OSError, UnicodeDecodeError):
        told = read_file(store.root / terms_path(manifest.name)).decode("ascii")
        return told.split()[:1] == [_digest(manifest)]
    return False


def accept(manifest: Manifest, store: Store) -> None:
    """Remember that the terms of a dataset were accepted.

    Raises:
        StoreError: the cache cannot be written.
    """
    words = f"{_digest(manifest)} accepted {time.strftime('%Y-%m-%d %H:%M:%S')}\n"
    store.write_text(terms_path(manifest.name), words.encode())


def _digest(manifest: Manifest) -> str:
    return str(Digest.of_bytes((manifest.license.terms or "").encode()))
