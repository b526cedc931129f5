from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from dshub.cache.store import Store
from dshub.checksums import Digest
from dshub.errors import DshubError, UnknownNameError
from dshub.hub.verification import Finding
from dshub.progress import Silent
from tests.manifests import label_split, make_manifest, save_manifest

if TYPE_CHECKING:
    from tests.hub.conftest import Process, World


def flip_last_byte(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


class Counting(Silent):
    """A progress listener that adds up the total and the finished amount."""

    total = done = 0

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        assert (title, unit) == ("verifying", "B")
        self.total = total or 0

    def advance(self, amount: int) -> None:
        self.done += amount


def verified(world: "World") -> dict[str, Finding]:
    """Return the verification findings by item name."""
    return {finding.thing: finding for finding in world.cache.verify()}


def test_verify_covers_files_tables_and_unreferenced_blobs(world: "World") -> None:
    world.fetch("tiny", "solo")
    data = b"unreferenced"
    world.keep(data, "sha256")
    world.keep(data, "md5")
    world.manifests.clear()
    findings = verified(world)
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert len(findings) == 4 + 2 + 3


def test_verify_sets_damaged_items_aside(world: "World") -> None:
    world.fetch("tiny", "solo")
    flip_last_byte(world.item("solo: labels").path)
    flip_last_byte(next(world.item("tiny/one train").path.glob("*.arrow")))
    flip_last_byte(world.keep(b"unreferenced"))
    damaged = {thing for thing, finding in verified(world).items() if finding.state == "damaged"}
    assert "file solo: labels" in damaged
    assert "table tiny/one train" in damaged
    assert len(damaged) == 3
    assert len([item for item in world.cache.items() if item.leftover]) == 3
    world.fetch("tiny", "solo")
    assert {finding.state for finding in verified(world).values()} == {"ok"}


def test_verify_reports_progress_in_bytes(world: "World") -> None:
    world.fetch("tiny", "solo")
    progress = Counting()
    cache = world.cache
    cache.progress = progress
    list(cache.verify())
    records = sum(path.stat().st_size for path in world.root.rglob("table.json"))
    assert progress.total == progress.done + records


def test_pin_of_a_family_pins_its_members(world: "World") -> None:
    assert world.cache.pin("tiny") == ["tiny/one", "tiny/two"]
    world.fetch("tiny", "solo")
    assert {item.pinned for item in world.cache.items("tiny")} == {True}
    assert {item.pinned for item in world.cache.items("solo")} == {False}
    assert world.cache.unpin("tiny/one") == ["tiny/one"]
    assert world.item("tiny/one train").pinned is False
    assert world.item("tiny/one: images, shared with tiny/two").pinned is True
    assert [share.datasets for share in world.cache.usage() if share.pinned] == [
        ("tiny/two",),
        ("tiny/one", "tiny/two"),
    ]
    world.cache.pin("tiny")
    assert world.cache.unpin("tiny") == ["tiny/one", "tiny/two"]
    assert not any(item.pinned for item in world.cache.items())


def test_pin_of_an_unknown_name_is_rejected(world: "World") -> None:
    with pytest.raises(UnknownNameError):
        world.cache.pin("tiny/one", "tinny/two")
    world.fetch("tiny/one")
    assert world.item("tiny/one train").pinned is False


def test_dataset_removed_from_the_registry_can_be_unpinned(world: "World") -> None:
    world.cache.pin("solo")
    del world.manifests["solo"]
    assert world.cache.unpin("solo") == ["solo"]


def test_dataset_and_family_with_the_same_name_can_be_pinned(world: "World") -> None:
    world.manifests["tiny"] = world.manifest("tiny", {"labels": world.images})
    assert world.cache.pin("tiny") == ["tiny"]
    assert world.cache.pin("tiny/one") == ["tiny/one"]


def test_removing_a_pinned_dataset_by_name_is_rejected(world: "World") -> None:
    world.fetch("tiny", "solo")
    world.cache.pin("tiny/two")
    before = world.names()
    with pytest.raises(DshubError, match="tiny/two is pinned") as message:
        world.cache.rm(["tiny", "solo"])
    assert "dshub cache unpin tiny/two" in message.value.hint
    assert world.names() == before


def test_removing_all_leaves_pinned_datasets(world: "World") -> None:
    world.fetch("tiny", "solo")
    world.cache.pin("solo")
    world.cache.rm(["tiny"])
    world.leave(world.labels("solo"), b"some")
    world.leave(Digest.of_bytes(b"unreferenced"), b"some")
    removals = world.cache.rm(None, kinds={"partial"})
    assert [removal.reason for removal in removals.left] == ["pinned"]
    assert len(removals.removed) == 1
    removals = world.cache.rm(None)
    assert removals.removed == ()
    assert len(world.names()) == len(removals.left) == 3


def test_removing_includes_unfinished_downloads(world: "World", process: "Process") -> None:
    for name in ("tiny/one", "tiny/two", "solo"):
        world.leave(world.labels(name), b"some")
    process("download", world.images.sha256 or "")
    removals = world.cache.rm(["tiny"])
    assert len(removals.removed) == 2
    assert [removal.reason for removal in removals.left] == ["a running process is using it"]
    assert len(world.names()) == 2


def test_dataset_is_removed_by_the_path_of_its_manifest(world: "World", tmp_path: Path) -> None:
    """The dataset is not in a registry, so the manifest file identifies its cached files."""
    labels = world.manifests.pop("solo").resources["labels"]
    published = msgspec.structs.replace(labels, urls=("https://data.example/labels",))
    manifest = make_manifest(
        {"labels": published}, name="mine", splits={"train": label_split(1000)}
    )
    path = save_manifest(manifest, tmp_path)
    world.hub.import_files(str(path), [Path(labels.urls[0])])
    assert [item.name for item in world.cache.items(str(path))] == ["mine: labels"]
    assert len(world.cache.rm([str(path)]).removed) == 1
    assert world.names() == []


def test_table_is_removed_atomically(world: "World") -> None:
    """Open datasets stay readable, and other processes never see a partial table."""
    world.fetch("tiny/one")
    rows = world.hub.load("tiny/one", "train")
    table = world.item("tiny/one train").path
    world.cache.rm(["tiny/one"], kinds={"prepared"})
    assert not table.exists()
    assert Store(world.root).table("tiny/one", table.name) is None
    assert list((world.root / "partial-v1").glob("removed*")) == []
    assert len(rows) == 1000
