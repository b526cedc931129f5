"""Create the registry from the settings."""

from contextlib import suppress
from pathlib import Path

from dshub.cache.files import is_foreign, open_file
from dshub.cache.paths import listing_path
from dshub.catalog.registry import Registry
from dshub.errors import StoreError
from dshub.progress import Progress
from dshub.settings import Settings


class CachedIndexes:
    """Storage for registry indexes in a cache folder.

    Args:
        cache: cache folder; not created if it is missing.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def read(self, key: str) -> bytes | None:
        """Return the index stored under a key, or None if it is missing or owned by another user.

        Another user of a shared cache could otherwise add datasets through a forged index.
        """
        with suppress(OSError), open_file(self._cache / listing_path(key)) as file:
            return None if is_foreign(file.fileno()) else file.readall()
        return None

    def write(self, key: str, data: bytes) -> None:
        """Store an index under a key, if the cache exists and is writable."""
        if not self._cache.is_dir():
            return
        from dshub.cache.store import Store  # lazily, because writes are rare

        with suppress(StoreError):
            Store(self._cache).write_text(listing_path(key), data)


def make_registry(settings: Settings, progress: Progress | None = None) -> Registry:
    """Return the registry of the folders, packages and mirrors in the settings."""
    indexes = CachedIndexes(settings.cache)
    if not settings.mirrors:
        return Registry(settings.registry, store=indexes)
    from dshub.cache.store import Store
    from dshub.mirrors.reading import Mirrors
    from dshub.mirrors.source import MirrorSource

    files = Store(settings.cache, settings.site_caches)
    mirrors = MirrorSource(Mirrors(settings, files, progress=progress))
    return Registry(settings.registry, sources=[mirrors], prefer=settings.prefer, store=indexes)
