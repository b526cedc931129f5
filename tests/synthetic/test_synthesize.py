from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from dshub import Hub
from dshub.cache.store import Store
from dshub.catalog.manifest import Manifest
from dshub.catalog.registry import Registry
from dshub.synthetic.synthesize import synthesize
from dshub.tables.recipe import find, recipe

ReadRaw = Callable[[Manifest, Store, str, str], bytes]
NAMES = Registry(()).names()


@pytest.mark.parametrize("name", NAMES)
def test_synthetic_data_is_marked_everywhere(shared: Hub, name: str) -> None:
    split = next(iter(shared.info(name).splits))
    dataset = shared.load(name, split, synthetic=5)
    synthetic = dataset.manifest
    assert synthetic is not None
    assert synthetic.synthetic
    assert not shared.info(name).synthetic
    assert synthetic.identifier == f"{shared.info(name).identifier}+synthetic.5"
    assert "synthetic" in synthetic.title.lower()
    assert "synthetic" in repr(dataset).lower()
    assert synthetic.license.redistribution == "unknown"
    assert synthetic.license.spdx is None


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_synthetic_data_never_replaces_real_data(shared: Hub, name: str) -> None:
    """Files and tables have other keys than those of the real dataset."""
    real = shared.info(name)
    synthetic = synthesize(real, shared.store, rows=5)
    for split in real.splits:
        shared.load(name, split, synthetic=5)
        assert recipe(synthetic, split).key != recipe(real, split).key
        assert find(real, split, shared.store) is None
    assert not any(shared.store.blob(item.digest) for item in real.resources.values())


def test_small_splits_keep_their_size(hub: Hub, raw_part: ReadRaw) -> None:
    real = hub.info("mnist")
    splits = {
        name: msgspec.structs.replace(split, rows=rows)
        for (name, split), rows in zip(real.splits.items(), (7, 30), strict=True)
    }
    small = msgspec.structs.replace(real, splits=splits)
    synthetic = synthesize(small, hub.store, rows=20)
    assert [split.rows for split in synthetic.splits.values()] == [7, 20]
    for split, rows in (("train", 7), ("test", 20)):
        # a 16-byte header, then 28 * 28 pixels per row
        assert len(raw_part(synthetic, hub.store, split, "image")) == 16 + rows * 28 * 28


def test_same_manifest_gives_the_same_rows(hub: Hub, tmp_path: Path, raw_part: ReadRaw) -> None:
    real = hub.info("mnist")
    synthetic = synthesize(real, hub.store, rows=20)
    again = synthesize(real, Store(tmp_path / "other"), rows=20)
    assert again == synthetic
    train, test = (raw_part(synthetic, hub.store, split, "image") for split in ("train", "test"))
    assert train != test
    assert synthesize(real, hub.store, rows=21).identifier != synthetic.identifier


def test_second_call_uses_cached_files(hub: Hub) -> None:
    real = hub.info("emnist/letters")
    synthetic = synthesize(real, hub.store, rows=10)
    before = {path: path.stat().st_ino for path in hub.store.root.rglob("*") if path.is_file()}
    assert synthesize(real, hub.store, rows=10) == synthetic
    assert {p: p.stat().st_ino for p in hub.store.root.rglob("*") if p.is_file()} == before
    assert not [path for path in before if path.is_relative_to(hub.store.root / "partial-v1")]
    for item in synthetic.resources.values():
        path = hub.store.blob(item.digest)
        assert path is not None
        path.unlink()
    assert synthesize(real, hub.store, rows=10) == synthetic
    assert all(hub.store.blob(item.digest) for item in synthetic.resources.values())


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_damaged_manifest_is_written_again(hub: Hub, content: bytes) -> None:
    synthetic = synthesize(hub.info("mnist"), hub.store, rows=10)
    (path,) = (hub.store.root / "synthetic-v1").rglob("*.json")
    path.write_bytes(content)
    assert synthesize(hub.info("mnist"), hub.store, rows=10) == synthetic
