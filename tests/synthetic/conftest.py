import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import pytest

from dshub import Hub, Settings
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.progress import Silent


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """Return a hub that all tests of a module share."""
    settings = Settings.read(cache=tmp_path_factory.mktemp("shared") / "cache")
    return Hub(settings=settings, progress=Silent())


def raw(manifest: Manifest, store: Store, split: str, part: str) -> bytes:
    """Return the decompressed raw file of a part."""
    resource, _, member = manifest.splits[split].references(part)[0].partition(":")
    path = store.blob(manifest.resources[resource].digest)
    assert path is not None
    data = path.read_bytes()
    if member:
        data = zipfile.ZipFile(io.BytesIO(data)).read(member)
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    if data[:5] == b"\xfd7zXZ":
        return lzma.decompress(data)
    # an uncompressed file must not have a name such as `a.gz`
    assert not manifest.resources[resource].name.endswith((".gz", ".xz"))
    return data


@pytest.fixture
def raw_part() -> Callable[[Manifest, Store, str, str], bytes]:
    """Return a function that reads the raw file of a part."""
    return raw
