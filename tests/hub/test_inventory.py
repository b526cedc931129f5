import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dshub.errors import DshubError, UnknownNameError

if TYPE_CHECKING:
    from tests.hub.conftest import World


def test_damaged_table_keeps_its_dataset(world: "World") -> None:
    world.fetch("tiny/one")
    world.hub.store.set_aside(world.item("tiny/one train").path)
    (item,) = (item for item in world.cache.items() if item.leftover)
    assert item.datasets == ("tiny/one",)


def test_download_is_one_item(world: "World") -> None:
    folder = world.leave(world.labels("solo"), b"begin")
    with (folder / "data").open("wb") as file:
        file.seek(1 << 30)
        file.write(b"end")
    (item,) = world.cache.items()
    assert item.name.startswith("download of solo: labels")
    if hasattr(os.stat_result, "st_blocks"):
        assert item.size < 1 << 20


def test_datasets_that_are_not_cached_share_nothing(world: "World") -> None:
    world.fetch("tiny/two")
    assert world.item("tiny/two: images").datasets == ("tiny/two",)


def test_shared_file_alone_belongs_to_all_its_datasets(world: "World") -> None:
    """The cache does not record which dataset a file was downloaded for."""
    world.keep(Path(world.images.urls[0]).read_bytes())
    (item,) = world.cache.items()
    assert item.datasets == ("tiny/one", "tiny/two")


def test_dataset_removed_from_the_registry_keeps_its_name(world: "World") -> None:
    """The table contains the manifest, which also names the files."""
    world.fetch("solo")
    del world.manifests["solo"]
    assert world.names() == ["solo train", "solo: labels"]
    assert [item.name for item in world.cache.items("solo")]
    with pytest.raises(UnknownNameError):
        world.cache.items("solid")


def test_name_with_a_version_is_rejected(world: "World") -> None:
    world.fetch("solo")
    with pytest.raises(DshubError, match="share cached files"):
        world.cache.rm(["solo@1.0.0"])
    assert world.names()


def test_usage_counts_every_item_once(world: "World") -> None:
    """Shared files have their own row, and the total equals the sum of all items."""
    world.fetch("tiny", "solo")
    world.keep(b"unreferenced")
    world.leave(world.images.digest, b"x" * 500)
    rows = {row.datasets: row for row in world.cache.usage()}
    shared = rows["tiny/one", "tiny/two"]
    assert list(rows)[-2:] == [("tiny/one", "tiny/two"), ()]
    assert shared.sizes == {"raw": world.images.size, "partial": 507}
    assert rows["solo",].sizes["raw"] == world.manifests["solo"].resources["labels"].size
    assert rows[()].total == len(b"unreferenced")
    total = sum(item.size for item in world.cache.items())
    assert sum(row.total for row in rows.values()) == total
    on_disk = (path for path in world.root.rglob("*") if path.is_file())
    assert total == sum(path.stat().st_size for path in on_disk if path.name != "CACHEDIR.TAG")


def test_listing_loads_nothing_heavy(world: "World") -> None:
    world.fetch("tiny", prepare=False)
    code = (
        "import sys; from dshub import Hub; cache = Hub().cache;"
        "assert cache.items() and cache.usage(); cache.gc();"
        "print(*sorted({'numpy', 'pyarrow'} & sys.modules.keys()))"
    )
    variables = os.environ | {"DSHUB_CACHE": str(world.root)}
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=variables, check=True
    )
    assert answer.stdout.split() == []


def test_absent_cache_is_empty(world: "World") -> None:
    cache = world.cache
    assert cache.items() == []
    assert cache.usage() == []
    assert cache.gc().removed == cache.prune(max_size=0).removed == cache.rm(None).removed == ()
    assert list(cache.verify()) == []
    assert not world.root.exists()


def test_loading_and_fetching_count_as_use(world: "World") -> None:
    world.fetch("solo")
    world.age("solo", 50)
    file, table = world.item("solo: labels"), world.item("solo train")
    assert file.used == pytest.approx(table.used, abs=100)
    changed = file.path.stat().st_mtime_ns
    hub = world.hub
    hub.plan(hub.resolve("solo"))
    list(hub.verify("solo"))
    list(hub.cache.verify())
    world.cache.usage()
    assert (world.item("solo: labels").used, world.item("solo train").used) == (
        file.used,
        table.used,
    )
    hub.load("solo", "train")
    assert world.item("solo train").used > table.used + 86400
    assert world.item("solo: labels").used == file.used
    world.fetch("solo", prepare=False)
    assert world.item("solo: labels").used > file.used + 86400
    # Servers and copying programs compare modification times, so use must not change them.
    assert file.path.stat().st_mtime_ns == changed


def test_use_of_a_read_only_layer_does_not_change_it(world: "World", tmp_path: Path) -> None:
    from dshub import Hub, Settings
    from dshub.progress import Silent

    world.fetch("solo")
    world.age("solo", 50)
    before = {path: path.stat().st_mtime_ns for path in world.root.rglob("*")}
    settings = Settings.read(cache=tmp_path / "mine", site_caches=[world.root])
    Hub(settings=settings, registry=world.hub.registry, progress=Silent()).load("solo", "train")
    assert {path: path.stat().st_mtime_ns for path in world.root.rglob("*")} == before
