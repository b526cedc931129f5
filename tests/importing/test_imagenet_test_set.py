from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import Hub, Settings
from dshub.catalog.sources import built_in_root
from dshub.progress import Silent
from tests.independent.imagenet import numbered_jpeg, tar, with_facts, write

IMAGES = [(f"ILSVRC2012_test_{i:08d}.JPEG", numbered_jpeg(i)) for i in range(1, 6)]
OFFICIAL, REPACKED = "ILSVRC2012_img_test_v10102019.tar", "test_images.tar.gz"


def official(folder: Path) -> None:
    """Write the images into a folder of the archive; the manifest accepts any folder name."""
    write(folder / OFFICIAL, tar([(f"test/{name}", data) for name, data in IMAGES]))


def flat(folder: Path) -> None:
    write(folder / OFFICIAL, tar(IMAGES))


def unpacked(folder: Path) -> None:
    for name, data in IMAGES:
        write(folder / "ILSVRC/Data/CLS-LOC/test" / name, data)
    write(folder / "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG", numbered_jpeg(9))


def parquet(folder: Path) -> None:
    image = [{"bytes": data, "path": name} for name, data in IMAGES]
    folder.mkdir()
    table = pa.table({"image": image, "label": [-1] * len(IMAGES)})
    pq.write_table(table, folder / "test-00000-of-00001.parquet")


def archive(folder: Path) -> None:
    write(folder / REPACKED, tar(IMAGES, "w:gz"))


@pytest.mark.parametrize("write_layout", [official, flat, unpacked, parquet, archive])
def test_every_layout_loads_the_same_images_without_labels(
    write_layout: Callable[[Path], None], tmp_path: Path, cache: Path
) -> None:
    """The Parquet layout has a label column of -1, which is dropped."""
    write_layout(tmp_path / "mine")
    text = (built_in_root() / "imagenet-1k-test" / "1.0.0.toml").read_text("utf-8")
    text = text.replace('"imagenet-1k-test"', '"small"').replace("rows = 100000", "rows = 5")
    for path in (tmp_path / "mine").glob("*.tar*"):
        text = with_facts(text, path)
    write(tmp_path / "registry/small/1.0.0.toml", text.encode())
    settings = Settings.read(cache=cache, registry=[tmp_path / "registry"])
    hub = Hub(settings=settings, progress=Silent())
    (report,) = hub.import_files("small", [tmp_path / "mine"])
    assert report.complete, report
    rows = hub.load("small", "test")
    assert list(rows.features) == ["image"]
    assert list(rows.decode(False)["image"]) == [data for _, data in IMAGES]
