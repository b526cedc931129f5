import shutil
from pathlib import Path

from dshub import Hub
from tests.independent.imagenet import (
    NAME,
    World,
    hub_of,
    rows_of,
)


def test_fingerprint_depends_on_the_layout(
    hub: Hub, world: World, tmp_path: Path, cache: Path
) -> None:
    """Layouts can order rows differently; the location of the files has no effect."""
    hubs = {name: hub_of(world, cache.with_name(name)) for name in ("official", "copy")}
    hub.import_files(NAME, [world.folders(tmp_path / "tree")])
    hubs["official"].import_files(NAME, [world.official(tmp_path / "tars")])
    shutil.copytree(tmp_path / "tree", tmp_path / "copied")
    hubs["copy"].import_files(NAME, [tmp_path / "copied"])
    expected = hub.load(NAME, "train").fingerprint
    assert hubs["copy"].load(NAME, "train").fingerprint == expected
    assert hubs["official"].load(NAME, "train").fingerprint != expected


def test_prepared_table_does_not_need_the_tree(hub: Hub, world: World, tmp_path: Path) -> None:
    """`verify` still reports the missing folder."""
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    hub.prepare(NAME)
    shutil.rmtree(tree)
    assert rows_of(hub, "train") == world.truth("train")
    hub.fetch(NAME)
    states = {item.thing: item.state for item in hub.verify(NAME)}
    assert states["import train-folders"] == "missing"
    assert states["table train"] == "ok"
