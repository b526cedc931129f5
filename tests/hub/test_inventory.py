"""What is in a cache, whose it is, and how much each takes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dshub.checksums import Digest
from dshub.errors import DshubError, UnknownNameError

if TYPE_CHECKING:
    from tests.hub.conftest import Process, World


def test_everything_is_named(world: "World") -> None:
    """Files and tables by their dataset, what is shared with whom it is shared; the rest too."""
    world.fetch("tiny", "solo")
    data = b"of nobody"
    world.keep(data)
    assert world.names() == [
        f"file {Digest.of_bytes(data).hex[:12]}…, of no known dataset",
        "solo train",
        "solo: labels",
        "tiny/one train",
        "tiny/one: images, shared with tiny/two",
        "tiny/one: labels",
        "tiny/two train",
        "tiny/two: labels",
    ]


def test_leftovers_are_named(world: "World", process: "Process") -> None:
    """A person reads what an unfinished thing is to become, and whether somebody is at it."""
    world.leave(world.labels("solo"), b"x" * 500)
    world.reject(world.images.digest, b"<html>")
    world.hub.store.set_aside(world.keep(b"damaged"))
    process("table")
    items = {item.name: item.held for item in world.cache.items()}
    damaged = Digest.of_bytes(b"damaged").hex
    assert items == {
        "an unfinished table": True,
        f"damaged {damaged[:2]}-{damaged}": False,
        "download of solo: labels, 507 B so far": False,
        "rejected bytes of tiny/one: images, shared with tiny/two": False,
    }


def test_a_damaged_table_still_has_its_dataset(world: "World") -> None:
    """It is told from the name under which it was put aside."""
    world.fetch("tiny/one")
    world.hub.store.set_aside(world.item("tiny/one train").path)
    (item,) = (item for item in world.cache.items() if item.leftover)
    assert item.datasets == ("tiny/one",)


def test_a_folder_is_one_download(world: "World") -> None:
    """Files of a download that lie in a folder count together, its holes not at all."""
    folder = world.leave(world.labels("solo"), b"begin")
    with (folder / "data").open("wb") as file:
        file.seek(1 << 30)
        file.write(b"end")
    (item,) = world.cache.items()
    assert item.name.startswith("download of solo: labels")
    if hasattr(os.stat_result, "st_blocks"):
        assert item.size < 1 << 20


def test_a_dataset_that_is_not_here_shares_nothing(world: "World") -> None:
    """That the registry knows another one with the same file means nothing by itself."""
    world.fetch("tiny/two")
    assert world.item("tiny/two: images").datasets == ("tiny/two",)


def test_what_only_the_registry_can_tell_apart_belongs_to_all(world: "World") -> None:
    """Of a shared file alone nobody can say for which dataset it was fetched."""
    world.keep(Path(world.images.urls[0]).read_bytes())
    (item,) = world.cache.items()
    assert item.datasets == ("tiny/one", "tiny/two")


def test_tables_name_what_the_registry_forgot(world: "World") -> None:
    """A dataset that has left the registry is still listed by its name, and so are its files."""
    world.fetch("solo")
    del world.manifests["solo"]
    assert world.names() == ["solo train", "solo: labels"]
    assert [item.name for item in world.cache.items("solo")]
    with pytest.raises(UnknownNameError):
        world.cache.items("solid")


def test_versions_are_not_told_apart(world: "World") -> None:
    """Naming one is refused, rather than taken for the whole dataset."""
    world.fetch("solo")
    with pytest.raises(DshubError, match="share cached files"):
        world.cache.rm(["solo@1.0.0"])
    assert world.names()


def test_each_thing_is_counted_once(world: "World") -> None:
    """What several datasets share stands apart; rows and total agree with the listing."""
    world.fetch("tiny", "solo")
    world.keep(b"of nobody")
    world.leave(world.images.digest, b"x" * 500)
    rows = {row.datasets: row for row in world.cache.usage()}
    shared = rows["tiny/one", "tiny/two"]
    assert list(rows)[-2:] == [("tiny/one", "tiny/two"), ()]
    assert (shared.raw, shared.partial, shared.prepared) == (world.images.size, 507, 0)
    assert rows["solo",].raw == world.manifests["solo"].resources["labels"].size
    assert rows[()].total == len(b"of nobody")
    total = sum(item.size for item in world.cache.items())
    assert sum(row.total for row in rows.values()) == total
    on_disk = (path for path in world.root.rglob("*") if path.is_file())
    assert total == sum(path.stat().st_size for path in on_disk if path.name != "CACHEDIR.TAG")


def test_looking_costs_nothing_heavy(world: "World") -> None:
    """Neither NumPy nor Arrow is loaded to list, to sum up, or to collect where no table is."""
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


def test_an_absent_cache_is_empty(world: "World") -> None:
    """Asking, collecting and pruning find nothing, and make no folder."""
    cache = world.cache
    assert cache.items() == []
    assert cache.usage() == []
    assert cache.gc().removed == cache.prune(max_size=0).removed == cache.rm(None).removed == ()
    assert list(cache.verify()) == []
    assert not world.root.exists()


def test_use_is_noted(world: "World") -> None:
    """Loading a table and fetching what is there are uses; listing, planning, checking are not."""
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
    assert file.path.stat().st_mtime_ns == changed  # servers and copying programs go by it


def test_use_of_a_read_only_layer_leaves_it_alone(world: "World", tmp_path: Path) -> None:
    """It belongs to somebody else."""
    from dshub import Hub, Settings
    from dshub.progress import Silent

    world.fetch("solo")
    world.age("solo", 50)
    before = {path: path.stat().st_mtime_ns for path in world.root.rglob("*")}
    settings = Settings.read(cache=tmp_path / "mine", site_caches=[world.root])
    Hub(settings=settings, registry=world.hub.registry, progress=Silent()).load("solo", "train")
    assert {path: path.stat().st_mtime_ns for path in world.root.rglob("*")} == before
