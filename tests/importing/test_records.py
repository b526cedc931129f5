"""Records of imports."""

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
    """Another layout may have another order; the same layout elsewhere does not matter."""
    others = {name: hub_of(world, cache.with_name(name)) for name in ("official", "copy")}
    hub.import_files(NAME, [world.folders(tmp_path / "tree")])
    others["official"].import_files(NAME, [world.official(tmp_path / "tars")])
    shutil.copytree(tmp_path / "tree", tmp_path / "copied")
    others["copy"].import_files(NAME, [tmp_path / "copied"])
    found = hub.load(NAME, "train").fingerprint
    assert others["copy"].load(NAME, "train").fingerprint == found
    assert others["official"].load(NAME, "train").fingerprint != found


def test_prepared_table_does_not_need_the_tree(hub: Hub, world: World, tmp_path: Path) -> None:
    """Rows load and `fetch` succeeds although the folder is gone; `verify` reports it."""
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    hub.prepare(NAME)
    shutil.rmtree(tree)
    assert rows_of(hub, "train") == world.truth("train")
    hub.fetch(NAME)
    states = {item.thing: item.state for item in hub.verify(NAME)}
    assert states["import train-folders"] == "missing"
    assert states["table train"] == "ok"
