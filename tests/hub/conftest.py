import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from dshub import Hub, Manifest, Registry, Resource, Settings
from dshub.cache.paths import blob_path
from dshub.cache.usage import Item
from dshub.catalog.features import Feature, ImageFeature, LabelFeature
from dshub.catalog.manifest import Split
from dshub.checksums import Algorithm, Digest
from dshub.hub.cache import Cache
from dshub.progress import Silent
from tests.manifests import IDX, make_manifest

ROWS = 1000


class World:
    """Three datasets and their cache: `solo`, and `tiny/one` and `tiny/two`, which share images.

    Attributes:
        manifests: manifests of the registry; tests can change them before they use `hub`.
    """

    def __init__(self, cache: Path, upstream: Path) -> None:
        self.root, self.upstream = cache, upstream
        upstream.mkdir()
        self.images = self._publish("images", struct.pack(">HBB3I", 0, 8, 3, ROWS, 2, 2), 4)
        one, two, solo = (self._labels(name, i) for i, name in enumerate(("one", "two", "solo")))
        self.manifests = {
            "tiny/one": self.manifest("tiny/one", {"images": self.images, "labels": one}),
            "tiny/two": self.manifest("tiny/two", {"images": self.images, "labels": two}),
            "solo": self.manifest("solo", {"labels": solo}),
        }

    def _labels(self, name: str, number: int) -> Resource:
        return self._publish(f"labels-{name}", struct.pack(">HBBI", 0, 8, 1, ROWS), 1, number)

    def _publish(self, name: str, head: bytes, row: int, value: int = 0) -> Resource:
        data = head + bytes([value]) * (ROWS * row)
        path = self.upstream / name
        path.write_bytes(data)
        digest = Digest.of_bytes(data)
        return Resource(urls=(str(path),), sha256=digest.hex, size=len(data))

    def manifest(
        self, name: str, resources: dict[str, Resource], version: str = "1.0.0"
    ) -> Manifest:
        """Build the manifest of a dataset with one column per resource."""
        files: dict[str, str | tuple[str, ...]] = {"label": "labels"}
        features: dict[str, Feature] = {"label": LabelFeature(names=("a", "b", "c"))}
        if "images" in resources:
            files["image"], features["image"] = "images", ImageFeature(shape=(2, 2, 1))
        return make_manifest(
            resources,
            name=name,
            version=version,
            features=features,
            splits={"train": Split(rows=ROWS, reader=IDX, files=files)},
        )

    @property
    def hub(self) -> Hub:
        """A new hub, without the state of an earlier one."""
        registry = Registry(manifests=list(self.manifests.values()), built_in=False)
        settings = Settings.read(cache=self.root)
        return Hub(settings=settings, registry=registry, progress=Silent())

    @property
    def cache(self) -> Cache:
        """The cache of a new hub."""
        return self.hub.cache

    def fetch(self, *names: str, prepare: bool = True) -> None:
        self.hub.fetch(*names, prepare=prepare)

    def keep(self, data: bytes, algorithm: Algorithm = "sha256") -> Path:
        """Write a file to the cache that no manifest names, and return its path."""
        return self._put(blob_path(Digest.of_bytes(data, algorithm)), data)

    def leave(self, digest: Digest, data: bytes) -> Path:
        """Write an interrupted download: the beginning of a file and a journal of 7 bytes."""
        folder = PurePosixPath("partial-v1", digest.hex)
        self._put(folder / "journal", b"journal")
        return self._put(folder / "data", data).parent

    def reject(self, digest: Digest, data: bytes) -> Path:
        """Write a rejected download."""
        return self._put(PurePosixPath("partial-v1", f"rejected-{digest.hex}"), data)

    def _put(self, relative: PurePosixPath, data: bytes) -> Path:
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def labels(self, name: str) -> Digest:
        """Return the checksum of a dataset's labels."""
        return self.manifests[name].resources["labels"].digest

    def names(self) -> list[str]:
        return sorted(item.name for item in self.cache.items())

    def item(self, name: str) -> Item:
        """Return the only item with this name."""
        (result,) = (item for item in self.cache.items() if item.name == name)
        return result

    def age(self, name: str, days: float) -> None:
        """Set the last use of all items of a dataset to `days` earlier."""
        for item in self.cache.items(name):
            moment = item.used - days * 86400
            for path in (item.path, item.path / "table.json", item.path / "dataset.json"):
                if path.is_file():
                    os.utime(path, (moment, moment))


@pytest.fixture
def world(cache: Path, tmp_path: Path) -> World:
    """Return three datasets and an empty cache."""
    return World(cache, tmp_path / "upstream")


Process = Callable[..., "subprocess.Popen[bytes]"]


BLOCKS = {
    "table": """
with store.new_table("solo", "0123456789abcdef") as folder:
    (folder / "half").write_bytes(b"half a table")
""",
    "scratch": """
with store.scratch() as folder:
    (folder / "piece").write_bytes(b"a piece")
""",
    "download": """
with store.partial(Digest("sha256", sys.argv[2])):
""",
}


@pytest.fixture
def process(cache: Path) -> Iterator[Process]:
    """Yield a function that starts a process in a table, scratch folder or download."""
    running = []

    def run(what: str, *arguments: str) -> subprocess.Popen[bytes]:
        lines = [
            "import sys",
            "from pathlib import Path",
            "from dshub.checksums import Digest",
            "from dshub.cache.store import Store",
            "store = Store(Path(sys.argv[1]))",
            BLOCKS[what].strip(),
            "    print('ready', flush=True); sys.stdin.read()",
        ]
        child = subprocess.Popen(
            [sys.executable, "-c", "\n".join(lines), str(cache), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        running.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        return child

    yield run
    for child in running:
        child.kill()
        child.communicate()
