"""ImageNet-1k in every form in which people have it: the same rows, and their files unchanged."""

import hashlib
import os
import random
import shutil
from pathlib import Path

import pytest

from dshub import Hub
from dshub.errors import ManualStepError, ReadError, StoreError
from tests.independent.imagenet import (
    NAME,
    World,
    everything,
    hub_of,
    make_world,
    picture,
    rows_of,
    write,
)

FORMS = ("official", "folders", "flat", "kaggle", "kaggle_zip", "parquet", "archives")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows(
    form: str, hub: Hub, world: World, tmp_path: Path, cache: Path
) -> None:
    """Class and bytes of every picture, in order; the user's files stay as they are."""
    path = getattr(world, form)(tmp_path / "mine")
    before = everything(tmp_path / "mine")
    (report,) = hub.import_files(NAME, [path])
    assert report.complete, report
    assert rows_of(hub, "train") == world.truth("train")
    assert rows_of(hub, "validation") == world.truth("validation")
    assert everything(tmp_path / "mine") == before
    assert not list(cache.rglob("*.JPEG"))
    hub.prepare(NAME)
    assert hub.plan(hub.resolve(NAME)).missing == ()


def test_forms_can_be_mixed(hub: Hub, world: World, tmp_path: Path) -> None:
    """One split as a tar, the other as a folder; the archive is not asked for again."""
    world.official(tmp_path / "tars")
    world.folders(tmp_path / "tree")
    tars = [tmp_path / "tars" / name for name in ("ILSVRC2012_img_train.tar",)]
    (report,) = hub.import_files(NAME, [*tars, tmp_path / "tree" / "val"])
    assert report.splits == {"train": True, "validation": True}
    assert [item.layout for item in report.layouts] == ["val-folders"]
    assert rows_of(hub, "train") == world.truth("train")
    assert rows_of(hub, "validation") == world.truth("validation")


@pytest.mark.parametrize(
    "below", ["", "ILSVRC", "ILSVRC/Data/CLS-LOC", "ILSVRC/Data/CLS-LOC/train"]
)
def test_any_folder_of_a_tree_may_be_named(
    below: str, hub: Hub, world: World, tmp_path: Path
) -> None:
    """People name the folder that they think of as the dataset, which is not the same for all."""
    world.kaggle(tmp_path / "mine")
    (report,) = hub.import_files(NAME, [tmp_path / "mine" / below])
    assert report.splits["train"]
    assert rows_of(hub, "train") == world.truth("train")


def test_a_thousand_classes(tmp_path: Path, cache: Path) -> None:
    """All classes with their order, from a tree in which they were made in another one."""
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


def test_where_rows_come_from_is_part_of_their_fingerprint(
    hub: Hub, world: World, tmp_path: Path, cache: Path
) -> None:
    """Another form may have another order; the same form elsewhere is the same."""
    others = {name: hub_of(world, cache.with_name(name)) for name in ("official", "copy")}
    hub.import_files(NAME, [world.folders(tmp_path / "tree")])
    others["official"].import_files(NAME, [world.official(tmp_path / "tars")])
    shutil.copytree(tmp_path / "tree", tmp_path / "copied")
    others["copy"].import_files(NAME, [tmp_path / "copied"])
    found = hub.load(NAME, "train").fingerprint
    assert others["copy"].load(NAME, "train").fingerprint == found
    assert others["official"].load(NAME, "train").fingerprint != found


def test_what_was_read_is_on_record(hub: Hub, world: World, tmp_path: Path) -> None:
    """A list of checksums lies beside the table, as `sha256sum --check` takes it."""
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    (folder,) = hub.prepare(NAME, splits=["train"])
    lines = (folder / "files.sha256").read_text().splitlines()
    found = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    assert found == {
        f"train/{code}/{name}": hashlib.sha256(data).hexdigest() for code, name, data in world.train
    }
    told = {item.thing: (item.state, item.detail) for item in hub.verify(NAME)}
    assert told["import train-folders"] == ("ok", f"20 files at {tree}, names and sizes")
    assert told["table train"][0] == "ok"
    assert "20 files whose checksums are in files.sha256" in told["table train"][1]


def test_the_table_needs_the_tree_no_more(hub: Hub, world: World, tmp_path: Path) -> None:
    """Once prepared, rows load and `fetch` is content though the folder is gone; `verify` tells."""
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    hub.prepare(NAME)
    shutil.rmtree(tree)
    assert rows_of(hub, "train") == world.truth("train")
    hub.fetch(NAME)
    states = {item.thing: item.state for item in hub.verify(NAME)}
    assert states["import train-folders"] == "missing"
    assert states["table train"] == "ok"


def test_what_changed_since_is_no_row(hub: Hub, world: World, tmp_path: Path) -> None:
    """A folder that lost a picture before it was prepared is an error, which says what differs."""
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    next((tree / "train").rglob("*.JPEG")).unlink()
    with pytest.raises(StoreError, match=r"19 files, .* instead of 20 files"):
        hub.load(NAME, "train")
    shutil.rmtree(tree)
    with pytest.raises(StoreError, match="imported from there and is gone"):
        hub.load(NAME, "train")


def test_a_file_that_is_another_one_by_now_is_named(hub: Hub, world: World, tmp_path: Path) -> None:
    """What is no picture is told with the row, as of any archive."""
    tree = world.folders(tmp_path / "tree")
    hub.import_files(NAME, [tree])
    code, name, data = world.train[7]
    (tree / "train" / code / name).write_bytes(b"x" * len(data))
    with pytest.raises(Exception, match="column image, row 7"):
        hub.load(NAME, "train")
    (tree / "train" / code / name).write_bytes(data)
    assert rows_of(hub, "train") == world.truth("train")


def test_missing_classes_and_pictures_are_counted_and_named(
    hub: Hub, world: World, tmp_path: Path
) -> None:
    """Nothing is prepared of a tree that lacks some."""
    tree = world.folders(tmp_path / "tree")
    shutil.rmtree(tree / "train" / world.codes[1])
    write(tree / "train" / "n99999999" / "n99999999_1.JPEG", picture(1))
    (tree / "train" / world.codes[0] / f"{world.codes[0]}_0.JPEG").write_bytes(b"")
    (tree / "val" / world.codes[0] / "ILSVRC2012_val_00000001.JPEG").unlink()
    (report,) = hub.import_files(NAME, [tree])
    assert report.splits == {"train": False, "validation": False}
    faults = {item.split: item.faults for item in report.layouts}
    assert faults["train"][0] == f"1 file empty: train/{world.codes[0]}/{world.codes[0]}_0.JPEG"
    assert faults["train"][1] == "1 folder of no class: n99999999"
    assert faults["train"][2].startswith("997 classes missing: n01443537 (goldfish), ")
    assert faults["train"][3] == "16 files instead of 20"
    assert "5 files instead of 6" in faults["validation"]
    assert [job.name for job in report.missing] == ["train", "val", "devkit"]
    with pytest.raises(ManualStepError):
        hub.load(NAME, "train")


def test_other_files_beside_are_no_matter(hub: Hub, world: World, tmp_path: Path) -> None:
    """Thumbnails, notes and other splits lie in many a tree."""
    tree = world.folders(tmp_path / "tree")
    for name in ("train/Thumbs.db", f"train/{world.codes[0]}/.DS_Store", "LICENSE", "test/1.JPEG"):
        write(tree / name, b"something")
    (report,) = hub.import_files(NAME, [tree])
    assert report.complete
    assert rows_of(hub, "train") == world.truth("train")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_in_a_tree_are_followed(hub: Hub, world: World, tmp_path: Path) -> None:
    """Classes on another disk, pictures that are links, a link to a folder above, one to itself."""
    tree = world.folders(tmp_path / "tree")
    code, name, _ = world.train[0]
    (tree / "train" / code).rename(tmp_path / "elsewhere")
    (tree / "train" / code).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / name).rename(tmp_path / "picture")
    (tmp_path / "elsewhere" / name).symlink_to(tmp_path / "picture")
    (tree / "train" / "above").symlink_to(tree)
    (tree / "train" / "self").symlink_to(tree / "train" / "self")
    (tmp_path / "data").symlink_to(tree)
    (report,) = hub.import_files(NAME, [tmp_path / "data"])
    assert report.complete, report
    assert rows_of(hub, "train") == world.truth("train")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_to_nowhere_is_a_missing_picture(hub: Hub, world: World, tmp_path: Path) -> None:
    """It has the name of one, so it is told by name."""
    tree = world.folders(tmp_path / "tree")
    code, name, _ = world.train[3]
    (tree / "train" / code / name).unlink()
    (tree / "train" / code / name).symlink_to(tmp_path / "nowhere")
    (report,) = hub.import_files(NAME, [tree])
    assert not report.splits["train"]
    told = [item.faults for item in report.layouts if item.layout == "train-folders"]
    assert told == [(f"1 file unreadable: train/{code}/{name}",)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="changes the user of a child process")
def test_a_picture_one_may_not_read_is_named(hub: Hub, world: World, enterable: Path) -> None:
    """The table is not made without it."""
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


def test_a_list_that_lacks_a_picture_is_an_error(hub: Hub, world: World, tmp_path: Path) -> None:
    """Of Kaggle's list every picture has to be in it, with a class that there is."""
    folder = world.kaggle(tmp_path / "mine")
    path = folder / "LOC_val_solution.csv"
    whole = path.read_text()
    path.write_text("".join(line for line in whole.splitlines(True) if "_00000004" not in line))
    hub.import_files(NAME, [folder])
    with pytest.raises(ReadError, match="it has no row for 'ILSVRC2012_val_00000004'"):
        hub.load(NAME, "validation")
    path.write_text(whole.replace("n01440764", "n77777777"))
    hub.import_files(NAME, [folder])
    with pytest.raises(Exception, match="n77777777"):
        hub.load(NAME, "validation")


def test_damaged_and_foreign_tars_are_told(hub: Hub, world: World, tmp_path: Path) -> None:
    """What is cut short, what has other bytes, and what is another version."""
    folder = world.official(tmp_path / "mine")
    train, val = folder / "ILSVRC2012_img_train.tar", folder / "ILSVRC2012_img_val.tar"
    train.write_bytes(train.read_bytes()[:-5000])
    data = bytearray(val.read_bytes())
    data[600] ^= 1
    val.write_bytes(data)
    devkit = folder / "ILSVRC2012_devkit_t12.tar.gz"
    devkit.write_bytes(devkit.read_bytes() + b"more")
    (report,) = hub.import_files(NAME, [folder])
    told = {item.job.name: item.reason for item in report.files if hasattr(item, "reason")}
    assert told["train"].startswith("damaged: it is cut short, ")
    assert told["val"].startswith("damaged: of the right size, but sha256:")
    assert told["devkit"].startswith("another version: ") or "other" in told["devkit"]
    assert report.splits == {"train": False, "validation": False}


def test_a_damaged_parquet_file_is_an_error(hub: Hub, world: World, tmp_path: Path) -> None:
    """With its name; and too few rows are no split."""
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
