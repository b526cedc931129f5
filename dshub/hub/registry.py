"""The registry that settings describe: folders, packages and mirrors, with indexes in the cache."""

from contextlib import suppress
from pathlib import Path

from dshub.cache.files import is_foreign, open_file
from dshub.cache.paths import listing_path
from dshub.catalog.registry import Registry
from dshub.errors import StoreError
from dshub.progress import Progress
from dshub.settings import Settings


class CachedIndexes:
    """Keeps the indexes of a registry in a cache.

    Args:
        cache: the folder of the cache. Where there is none, listing does not make one.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def read(self, key: str) -> bytes | None:
        """The bytes that were written under a key, unless another user wrote them.

        They name folders of manifests, so that in a shared cache they could add datasets.
        """
        with suppress(OSError), open_file(self._cache / listing_path(key)) as file:
            return None if is_foreign(file.fileno()) else file.readall()
        return None

    def write(self, key: str, data: bytes) -> None:
        """Replace the bytes of a key, in a cache that exists and can be written."""
        if not self._cache.is_dir():
            return
        from dshub.cache.store import Store  # only for a listing that changed

        with suppress(StoreError):
            Store(self._cache).write_text(listing_path(key), data)


def make_registry(settings: Settings, progress: Progress | None = None) -> Registry:
    """The datasets of folders and packages, and of mirrors where settings name some."""
    store = CachedIndexes(settings.cache)
    if not settings.mirrors:
        return Registry(settings.registry, store=store)
    from dshub.cache.store import Store
    from dshub.mirrors.reading import Mirrors
    from dshub.mirrors.source import MirrorSource

    files = Store(settings.cache, settings.site_caches)
    mirrors = MirrorSource(Mirrors(settings, files, progress=progress))
    return Registry(settings.registry, sources=[mirrors], prefer=settings.prefer, store=store)
