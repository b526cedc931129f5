"""Make the registry that settings describe: folders, packages and mirrors."""

from contextlib import suppress
from pathlib import Path

from dshub.cache.files import is_foreign, open_file
from dshub.cache.paths import listing_path
from dshub.catalog.registry import Registry
from dshub.errors import StoreError
from dshub.progress import Progress
from dshub.settings import Settings


class CachedIndexes:
    """Stores the indexes of a registry in a cache.

    Args:
        cache: the folder of the cache, which is not created.
    """

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a key, unless another user wrote them.

        They name folders of manifests, so that in a shared cache they could add datasets.
        """
        with suppress(OSError), open_file(self._cache / listing_path(key)) as file:
            return None if is_foreign(file.fileno()) else file.readall()
        return None

    def write(self, key: str, data: bytes) -> None:
        """Replace the bytes of a key, if the cache exists and can be written."""
        if not self._cache.is_dir():
            return
        from dshub.cache.store import Store  # only if a listing changed

        with suppress(StoreError):
            Store(self._cache).write_text(listing_path(key), data)


def make_registry(settings: Settings, progress: Progress | None = None) -> Registry:
    """Make the registry of folders, packages, and mirrors if there are any."""
    indexes = CachedIndexes(settings.cache)
    if not settings.mirrors:
        return Registry(settings.registry, store=indexes)
    from dshub.cache.store import Store
    from dshub.mirrors.reading import Mirrors
    from dshub.mirrors.source import MirrorSource

    files = Store(settings.cache, settings.site_caches)
    mirrors = MirrorSource(Mirrors(settings, files, progress=progress))
    return Registry(settings.registry, sources=[mirrors], prefer=settings.prefer, store=indexes)
