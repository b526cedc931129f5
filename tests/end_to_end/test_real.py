"""Load the published Fashion-MNIST files through the built-in manifest."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset, Hub, Settings, load
from dshub.cache.paths import blob_path
from dshub.catalog.features import LabelFeature
from dshub.checksums import Digest
from dshub.mirrors.serve.server import serving

pytestmark = pytest.mark.real


@pytest.fixture
def mirror(real_fashion_mnist: Path, tmp_path: Path) -> Path:
    """Copy the files into the layout of a mirror without dshub."""
    for path in real_fashion_mnist.glob("*.gz"):
        blob = tmp_path / "mirror" / blob_path(Digest.of_file(path))
        blob.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blob)
    return tmp_path / "mirror"


def dshub(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the `dshub` command and fail the test if it fails."""
    command = [sys.executable, "-m", "dshub", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def check(train: Dataset) -> None:
    """Compare the training rows with published facts."""
    assert len(train) == 60_000
    assert (train[0]["image"].shape, train[0]["image"].dtype) == ((28, 28, 1), np.uint8)
    assert np.bincount(train["label"]).tolist() == [6000] * 10
    label = train.features["label"]
    assert isinstance(label, LabelFeature)
    assert (train[0]["label"], label.str(9)) == (9, "Ankle boot")
    assert int(train[0]["image"].sum()) == 76_247


def test_dataset_loads_from_a_mirror(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(mirror) as url:
        monkeypatch.setenv("DSHUB_MIRROR", url)
        dshub("fetch", "fashion-mnist")
        assert f"from {url.removeprefix('http://')}" not in dshub("fetch", "fashion-mnist").stdout
    monkeypatch.delenv("DSHUB_MIRROR")
    monkeypatch.setenv("DSHUB_OFFLINE", "1")
    check(load("fashion-mnist", split="train"))
    dshub("verify", "fashion-mnist")


@pytest.mark.parametrize("copies", [".", "debian"])
@pytest.mark.parametrize(
    "command", [["import", "fashion-mnist"], ["fetch", "fashion-mnist", "--from"]]
)
def test_dataset_loads_from_a_folder(
    command: list[str], copies: str, real_fashion_mnist: Path, tmp_path: Path
) -> None:
    """Recompressed files in Debian's package are accepted like the published files."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (real_fashion_mnist / copies).glob("*.gz"):
        shutil.copy(path, folder)
    dshub(*command, str(folder))
    check(load("fashion-mnist", split="train"))
    dshub("verify", "fashion-mnist")


def test_torch_and_tensorflow_get_the_same_rows(real_fashion_mnist: Path, hub: Hub) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tensorflow")
    hub.import_files("fashion-mnist", [real_fashion_mnist])
    train = hub.load("fashion-mnist", split="train")
    loaders = [train.batches(1000, shuffle=True, seed=1) for _ in range(3)]
    batches = zip(loaders[0], loaders[1].torch(), loaders[2].tf(), strict=True)
    rows = 0
    for one, two, three in batches:
        for name in ("image", "label"):
            np.testing.assert_array_equal(one[name], two[name].numpy())
            np.testing.assert_array_equal(one[name], three[name].numpy())
        rows += len(one["label"])
    assert rows == 60_000
    assert int(train.torch()[0]["image"].sum()) == 76_247
    assert int(next(iter(train.tf()))["image"].numpy().sum()) == 76_247


def test_keras_example_reaches_its_accuracy(real_fashion_mnist: Path, hub: Hub) -> None:
    pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    hub.import_files("fashion-mnist", [real_fashion_mnist])
    example = Path(__file__).parents[2] / "examples" / "keras_mnist.py"
    done = subprocess.run(
        [sys.executable, str(example), "fashion-mnist"],
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
        check=False,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"test accuracy ([\d.]+) %", done.stdout)
    assert accuracy is not None
    assert float(accuracy[1]) >= 88


def test_table_of_a_site_cache_is_used_without_writing(mirror: Path, tmp_path: Path) -> None:
    site = Hub(
        settings=Settings.read(cache=tmp_path / "site", mirrors=[str(mirror)], progress="off")
    )
    site.fetch("fashion-mnist")
    own = Settings.read(cache=tmp_path / "own", site_caches=[str(tmp_path / "site")], offline=True)
    check(Hub(settings=own).load("fashion-mnist", split="train"))
    assert not (tmp_path / "own").exists()
