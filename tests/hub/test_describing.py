from typing import TYPE_CHECKING

from dshub.checksums import Digest

if TYPE_CHECKING:
    from tests.hub.conftest import Process, World


def test_items_are_named_by_their_datasets(world: "World") -> None:
    """A shared file names the other datasets; an unknown file shows its checksum."""
    world.fetch("tiny", "solo")
    data = b"unreferenced"
    world.keep(data)
    assert world.names() == [
        f"file {Digest.of_bytes(data).hex[:12]}… of an unknown dataset",
        "solo train",
        "solo: labels",
        "tiny/one train",
        "tiny/one: images, shared with tiny/two",
        "tiny/one: labels",
        "tiny/two train",
        "tiny/two: labels",
    ]


def test_leftovers_are_named(world: "World", process: "Process") -> None:
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
