"""Import ImageNet-1k in every layout."""

import hashlib
import random
from pathlib import Path

import pytest

from dshub import Hub
from dshub.errors import ReadError
from tests.independent.imagenet import (
    NAME,
    World,
    file_states,
    hub_of,
    make_world,
    rows_of,
    write,
)

LAYOUTS = ("official", "folders", "flat", "kaggle", "kaggle_zip", "parquet", "archives")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_loads_as_the_same_rows(
    layout: str, hub: Hub, world: World, tmp_path: Path, cache: Path
) -> None:
    path = getattr(world, layout)(tmp_path / "mine")
    before = file_states(tmp_path / "mine")
    (report,) = hub.import_files(NAME, [path])
    assert report.complete, report
    assert rows_of(hub, "train") == world.truth("train")
    assert rows_of(hub, "validation") == world.truth("validation")
    assert file_states(tmp_path / "mine") == before
    assert not list(cache.rglob("*.JPEG"))
    hub.prepare(NAME)
    assert hub.plan(hub.resolve(NAME)).missing == ()


def test_layouts_can_be_mixed(hub: Hub, world: World, tmp_path: Path) -> None:
    world.official(tmp_path / "tars")
    world.folders(tmp_path / "tree")
    tars = [tmp_path / "tars" / name for name in ("ILSVRC2012_img_train.tar",)]
    (report,) = hub.import_files(NAME, [*tars, tmp_path / "tree" / "val"])
    assert report.splits == {"train": True, "validation": True}
    assert [item.layout for item in report.layouts] == ["val-folders"]
    assert rows_of(hub, "train") == world.truth("train")
    assert rows_of(hub, "validation") == world.truth("validation")


def test_thousand_classes_keep_their_order(tmp_path: Path, cache: Path) -> None:
    world = make_world(tmp_path / "world", classes=1000, each=2, val=1000)
    tree, train = tmp_path / "tree", list(world.train)
    random.Random(0).shuffle(train)
    for code, name, data in train:
        write(tree / "train" / code / name, data)
    world.kaggle(tmp_path / "kaggle")
    hub = hub_of(world, cache)
    (report,) = hub.import_files(NAME, [tree, tmp_path / "kaggle"])
    assert {item.layout: item.files for item in report.layouts} == {
        "train-folders": 2000,
        "val-kaggle": 1001,
    }
    assert rows_of(hub, "train") == world.truth("train")
    assert rows_of(hub, "validation") == world.truth("validation")
    assert len({label for label, _ in rows_of(hub, "validation")}) == 1000


def test_checksums_of_read_files_are_written(hub: Hub, world: World, tmp_path: Path) -> None:
    """`files.sha256` next to the table works with `sha256sum --check`."""
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    (folder,) = hub.prepare(NAME, splits=["train"])
    lines = (folder / "files.sha256").read_text().splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    assert sums == {
        f"train/{code}/{name}": hashlib.sha256(data).hexdigest() for code, name, data in world.train
    }
    findings = {item.thing: (item.state, item.detail) for item in hub.verify(NAME)}
    assert findings["import train-folders"] == ("ok", f"20 files at {tree}, names and sizes")
    assert findings["table train"][0] == "ok"
    assert "20 files with checksums in files.sha256" in findings["table train"][1]


def test_error_names_the_row_of_a_replaced_file(hub: Hub, world: World, tmp_path: Path) -> None:
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    code, name, data = world.train[7]
    (tree / "train" / code / name).write_bytes(b"x" * len(data))
    with pytest.raises(Exception, match="column image, row 7"):
        hub.load(NAME, "train")
    (tree / "train" / code / name).write_bytes(data)
    assert rows_of(hub, "train") == world.truth("train")


def test_incomplete_label_list_is_an_error(hub: Hub, world: World, tmp_path: Path) -> None:
    folder = world.kaggle(tmp_path / "mine")
    path = folder / "LOC_val_solution.csv"
    solution = path.read_text()
    path.write_text("".join(line for line in solution.splitlines(True) if "_00000004" not in line))
    hub.import_files(NAME, [folder])
    with pytest.raises(ReadError, match="it has no row for 'ILSVRC2012_val_00000004'"):
        hub.load(NAME, "validation")
    path.write_text(solution.replace("n01440764", "n77777777"))
    hub.import_files(NAME, [folder])
    with pytest.raises(Exception, match="n77777777"):
        hub.load(NAME, "validation")


def test_mismatching_archives_are_explained(hub: Hub, world: World, tmp_path: Path) -> None:
    folder = world.official(tmp_path / "mine")
    train, val = folder / "ILSVRC2012_img_train.tar", folder / "ILSVRC2012_img_val.tar"
    train.write_bytes(train.read_bytes()[:-5000])
    data = bytearray(val.read_bytes())
    data[600] ^= 1
    val.write_bytes(data)
    devkit = folder / "ILSVRC2012_devkit_t12.tar.gz"
    devkit.write_bytes(devkit.read_bytes() + b"more")
    (report,) = hub.import_files(NAME, [folder])
    reasons = {item.job.name: item.reason for item in report.files if hasattr(item, "reason")}
    assert reasons["train"].startswith("truncated, or an older version: ")
    assert reasons["val"].startswith("damaged: the size is right, but not the content (sha256:")
    assert reasons["devkit"].startswith("another version: ") or "other" in reasons["devkit"]
    assert report.splits == {"train": False, "validation": False}


def test_damaged_parquet_file_is_an_error(hub: Hub, world: World, tmp_path: Path) -> None:
    folder = world.parquet(tmp_path / "mine")
    path = folder / "train-00001-of-00002.parquet"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    hub.import_files(NAME, [folder])
    with pytest.raises(ReadError, match=r"train-00001-of-00002\.parquet"):
        hub.load(NAME, "train")
    path.unlink()
    hub.import_files(NAME, [folder])
    with pytest.raises(Exception, match="got 10 rows, expected 20 rows"):
        hub.load(NAME, "train")
