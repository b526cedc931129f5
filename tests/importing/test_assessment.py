import os
import shutil
from pathlib import Path

import pytest

from dshub import Hub
from dshub.errors import ManualStepError
from tests.independent.imagenet import (
    NAME,
    World,
    numbered_jpeg,
    write,
)


def test_missing_classes_and_images_are_counted_and_named(
    hub: Hub, world: World, tmp_path: Path
) -> None:
    tree = world.folders(tmp_path / "tree")
    shutil.rmtree(tree / "train" / world.codes[1])
    write(tree / "train" / "n99999999" / "n99999999_1.JPEG", numbered_jpeg(1))
    (tree / "train" / world.codes[0] / f"{world.codes[0]}_0.JPEG").write_bytes(b"")
    (tree / "val" / world.codes[0] / "ILSVRC2012_val_00000001.JPEG").unlink()
    (report,) = hub.import_files(NAME, [tree])
    assert report.splits == {"train": False, "validation": False}
    faults = {item.split: item.faults for item in report.layouts}
    assert faults["train"][0] == f"1 file empty: train/{world.codes[0]}/{world.codes[0]}_0.JPEG"
    assert faults["train"][1] == "1 folder without a class: n99999999"
    assert faults["train"][2].startswith("997 classes missing: n01443537 (goldfish), ")
    assert faults["train"][3] == "16 files instead of 20"
    assert "5 files instead of 6" in faults["validation"]
    assert [job.name for job in report.missing] == ["train", "val", "devkit"]
    with pytest.raises(ManualStepError):
        hub.load(NAME, "train")


@pytest.mark.skipif(os.name == "nt", reason="Windows needs a privilege for links")
def test_broken_link_is_a_fault(hub: Hub, world: World, tmp_path: Path) -> None:
    tree = world.folders(tmp_path / "tree")
    code, name, _ = world.train[3]
    (tree / "train" / code / name).unlink()
    (tree / "train" / code / name).symlink_to(tmp_path / "nowhere")
    (report,) = hub.import_files(NAME, [tree])
    assert not report.splits["train"]
    faults = [item.faults for item in report.layouts if item.layout == "train-folders"]
    assert faults == [(f"1 file unreadable: train/{code}/{name}",)]
