"""A dataset of two splits on a mirror."""

import gzip
import hashlib
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dshub.cache.store import Store
from dshub.catalog.features import ImageFeature
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.download.fetcher import Fetcher
from tests.manifests import LETTERS, make_manifest

ROWS = {"train": 9, "test": 4}


def images(split: str) -> np.ndarray:
    """Return the images of a split: uint8 (rows, 4, 3)."""
    rows = ROWS[split]
    return (np.arange(rows * 12) + len(split)).astype(np.uint8).reshape(rows, 4, 3)


def raw(split: str) -> dict[str, bytes]:
    """Return the raw files of a split by part."""
    rows = ROWS[split]
    image = struct.pack(">4I", 0x0803, rows, 4, 3) + images(split).tobytes()
    label = struct.pack(">2I", 0x0801, rows) + bytes(i % 3 for i in range(rows))
    return {"image": gzip.compress(image), "label": label}


class Upstream:
    """A mirror folder, and the manifest of its files."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.store = folder, Store(cache)
        self.fetcher = Fetcher(self.store, mirrors=[str(folder)])

    def publish(self, data: bytes, name: str) -> Resource:
        """Add a file to the mirror and return its resource."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.folder / "blobs-v1" / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return Resource(filename=name, sha256=sha256, size=len(data))

    def manifest(self, **changed: bytes) -> Manifest:
        """Build a manifest with two splits; a keyword such as `train_label` replaces a file."""
        resources = {
            f"{split}-{part}": self.publish(changed.get(f"{split}_{part}", data), f"{part}.file")
            for split in ROWS
            for part, data in raw(split).items()
        }
        splits = {
            split: Split(
                rows=rows,
                reader={"format": "idx"},
                files={"image": f"{split}-image", "label": f"{split}-label"},
            )
            for split, rows in ROWS.items()
        }
        return make_manifest(
            resources,
            name="family/ds",
            features={"image": ImageFeature(shape=(4, 3, 1)), "label": LETTERS},
            splits=splits,
        )

    def tables(self) -> list[Path]:
        """Return all files of tables in the cache."""
        return [path for path in self.store.root.glob("tables-v1/**/*") if path.is_file()]


def with_split(manifest: Manifest, **changes: Any) -> Manifest:
    """Return the manifest with changes to the `train` split."""
    train = msgspec.structs.replace(manifest.splits["train"], **changes)
    return msgspec.structs.replace(manifest, splits=manifest.splits | {"train": train})
