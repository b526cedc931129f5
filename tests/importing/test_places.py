import os
from pathlib import Path

import pytest

from dshub import Hub
from dshub.errors import ReadError
from tests.independent.imagenet import (
    NAME,
    World,
    rows_of,
)


@pytest.mark.skipif(os.name == "nt", reason="Windows needs a privilege for links")
def test_links_in_a_tree_are_followed(hub: Hub, world: World, tmp_path: Path) -> None:
    tree = world.folders(tmp_path / "tree")
    code, name, _ = world.train[0]
    (tree / "train" / code).rename(tmp_path / "elsewhere")
    (tree / "train" / code).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / name).rename(tmp_path / "target")
    (tmp_path / "elsewhere" / name).symlink_to(tmp_path / "target")
    (tree / "train" / "above").symlink_to(tree)
    (tree / "train" / "self").symlink_to(tree / "train" / "self")
    (tmp_path / "data").symlink_to(tree)
    (report,) = hub.import_files(NAME, [tmp_path / "data"])
    assert report.complete, report
    assert rows_of(hub, "train") == world.truth("train")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
def test_unreadable_image_is_named(hub: Hub, world: World, enterable: Path) -> None:
    tree = world.folders(enterable / "tree")
    code, name, _ = world.train[3]
    (tree / "train" / code / name).chmod(0)
    hub.import_files(NAME, [tree])
    for folder in (enterable, *enterable.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o777)
    if (child := os.fork()) == 0:
        result = 1
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            with pytest.raises(ReadError, match=rf"{name}: it cannot be read: Permission denied"):
                hub.load(NAME, "train")
            result = 0
        finally:
            os._exit(result)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
