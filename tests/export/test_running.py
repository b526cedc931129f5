"""Test repeating, interrupting and resuming exports."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from dshub import Dataset, DshubError, Feature
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.errors import StoreError, UnknownNameError
from dshub.export._running import export
from dshub.progress import Silent
from tests.commandline import run_dshub

FORMATS = ["parquet", "arrow", "webdataset", "tfrecord", "recordio", "imagefolder", "jsonl", "npz"]


def labeled(recorded_shards: int = 40) -> Dataset:
    images = (
        np.arange(recorded_shards * 16, dtype=np.uint32)
        .astype(np.uint8)
        .reshape(recorded_shards, 4, 4, 1)
    )
    features: dict[str, Feature] = {
        "image": ImageFeature(shape=(4, 4, 1)),
        "label": LabelFeature(names=("a", "b", "c")),
    }
    return Dataset.from_arrays(
        {"image": images, "label": np.arange(recorded_shards) % 3}, features=features
    )


def contents_of(folder: Path) -> dict[str, bytes]:
    """Return the content of every file that is not hidden."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("to", FORMATS)
def test_same_rows_give_the_same_bytes(tmp_path: Path, to: str) -> None:
    contents = []
    for name in ("one", "two"):
        export({"train": labeled()}, to, tmp_path / name, shard_size=300)
        contents.append(contents_of(tmp_path / name))
    assert contents[0] == contents[1] != {}
    assert not list((tmp_path / "one").glob("partial*"))


def stats_of(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return the inode, size and modification time of each file."""
    stats = {path: path.stat() for path in folder.rglob("*")}
    return {path: (one.st_ino, one.st_size, one.st_mtime_ns) for path, one in stats.items()}


@pytest.mark.parametrize("to", FORMATS)
def test_complete_shards_are_not_written_again(tmp_path: Path, to: str) -> None:
    first = export({"train": labeled()}, to, tmp_path, shard_size=300)["train"]
    before = stats_of(tmp_path)
    second = export({"train": labeled()}, to, tmp_path, shard_size=300)["train"]
    assert (first.kept, second.kept) == (0, second.shards)
    assert stats_of(tmp_path) == before


def test_missing_or_truncated_shards_are_written_again(tmp_path: Path) -> None:
    done = export({"train": labeled()}, "parquet", tmp_path, shard_size=300)["train"]
    before = contents_of(tmp_path)
    done.files[0].unlink()
    done.files[2].write_bytes(b"cut")
    second = export({"train": labeled()}, "parquet", tmp_path, shard_size=300)["train"]
    assert second.kept == second.shards - 2
    assert contents_of(tmp_path) == before


def test_missing_folder_is_written_again(tmp_path: Path) -> None:
    export({"train": labeled()}, "imagefolder", tmp_path, shard_size=300)
    before = contents_of(tmp_path)
    shutil.rmtree(tmp_path / "train")
    second = export({"train": labeled()}, "imagefolder", tmp_path, shard_size=300)["train"]
    record = json.loads((tmp_path / ".dshub-export.json").read_bytes())
    assert (second.kept, len(record["splits"]["train"]["done"])) == (0, second.shards)
    assert contents_of(tmp_path) == before


def test_interrupted_rewrite_of_a_missing_folder_resumes(tmp_path: Path) -> None:
    export({"train": labeled()}, "imagefolder", tmp_path, shard_size=300)
    before = contents_of(tmp_path)
    shutil.rmtree(tmp_path / "train")

    class Stopped(Silent):
        def advance(self, amount: int) -> None:
            raise KeyboardInterrupt(amount)

    with pytest.raises(KeyboardInterrupt):
        export({"train": labeled()}, "imagefolder", tmp_path, shard_size=300, progress=Stopped())
    assert not (tmp_path / "train").exists()
    export({"train": labeled()}, "imagefolder", tmp_path, shard_size=300)
    assert contents_of(tmp_path) == before


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from dshub import Dataset
from dshub.export._running import export
from dshub.catalog.features import ImageFeature
pixels = np.arange(2000 * 784, dtype=np.uint32).astype(np.uint8).reshape(2000, 28, 28, 1)
features = {"image": ImageFeature(shape=(28, 28, 1))}
rows = Dataset.from_arrays({"image": pixels}, features=features)
export({"train": rows}, sys.argv[1], Path(sys.argv[2]), shard_size=100_000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize(
    "to",
    [
        "parquet",
        pytest.param("webdataset", marks=pytest.mark.slow),
        pytest.param("imagefolder", marks=pytest.mark.slow),
    ],
)
def test_killed_export_resumes(tmp_path: Path, to: str) -> None:
    """Files are never incomplete, even after a kill."""

    def run(folder: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SCRIPT, to, str(tmp_path / folder)])

    assert run("whole").wait() == 0
    expected = contents_of(tmp_path / "whole")
    chance, killed = random.Random(0), 0
    for _ in range(3):
        process = run("killed")
        record = tmp_path / "killed" / ".dshub-export.json"
        done = recorded_shards(record)
        while process.poll() is None and recorded_shards(record) == done:
            time.sleep(0.001)
        time.sleep(chance.random() / 50)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() < 0
        visible = contents_of(tmp_path / "killed")
        visible = {name: data for name, data in visible.items() if not name.startswith("partial")}
        assert visible.items() <= expected.items()
    assert killed
    assert run("killed").wait() == 0
    assert contents_of(tmp_path / "killed") == expected


def recorded_shards(record: Path) -> int:
    """Return the number of recorded shards."""
    if not record.exists():
        return 0
    return len(json.loads(record.read_bytes())["splits"].get("train", {"done": []})["done"])


def test_another_export_is_replaced_only_by_force(tmp_path: Path) -> None:
    """The error describes the existing export."""
    export({"train": labeled()}, "parquet", tmp_path, shard_size=100)
    description = (
        "named train: 40 rows of own data, split train, in 10 shards with the columns image, label"
    )
    for other, size in (
        (labeled().columns(["image"]), 100),
        (labeled(), 1000),
        (labeled().take(39), 100),
    ):
        with pytest.raises(DshubError, match=description) as caught:
            export({"train": other}, "parquet", tmp_path, shard_size=size)
        assert "--force" in caught.value.hint
    export({"train": labeled().take(5)}, "parquet", tmp_path, shard_size=10**6, force=True)
    assert list(contents_of(tmp_path)) == ["train-00000-of-00001.parquet"]
    assert pq.read_table(tmp_path / "train-00000-of-00001.parquet").num_rows == 5


def test_another_format_needs_another_folder(tmp_path: Path) -> None:
    export({"train": labeled()}, "parquet", tmp_path)
    with pytest.raises(DshubError, match="contains an export to parquet, not arrow"):
        export({"train": labeled()}, "arrow", tmp_path)


def test_existing_files_are_replaced_only_by_force(tmp_path: Path) -> None:
    existing = tmp_path / "train-00000-of-00001.parquet"
    existing.write_bytes(b"mine")
    with pytest.raises(DshubError, match="already exists and is not an export of dshub"):
        export({"train": labeled()}, "parquet", tmp_path)
    assert existing.read_bytes() == b"mine"
    export({"train": labeled()}, "parquet", tmp_path, force=True)
    assert pq.read_table(existing).num_rows == 40
    (tmp_path / "images" / "train").mkdir(parents=True)
    with pytest.raises(DshubError, match="already exists and is not an export of dshub"):
        export({"train": labeled()}, "imagefolder", tmp_path / "images", force=True)


def test_splits_share_a_folder(tmp_path: Path) -> None:
    export({"train": labeled(), "test": labeled(7)}, "parquet", tmp_path)
    before = contents_of(tmp_path)
    export({"train[:10%]": labeled(4)}, "parquet", tmp_path)
    after = contents_of(tmp_path)
    assert after.keys() - before.keys() == {"train-10-00000-of-00001.parquet"}
    assert before.items() <= after.items()
    with pytest.raises(DshubError, match="would both be named train-10"):
        export({"train[:10%]": labeled(), "train[10%:]": labeled()}, "parquet", tmp_path)


def test_split_without_rows_is_exported(tmp_path: Path) -> None:
    (path,) = export({"train": labeled().take(0)}, "parquet", tmp_path)["train"].files
    assert pq.read_table(path).schema.names == ["image", "label"]
    done = export({"train": labeled().take(0)}, "imagefolder", tmp_path / "images")
    assert list(done["train"].files[0].iterdir()) == []


def test_unknown_format_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no export format named 'parket'") as caught:
        export({"train": labeled()}, "parket", tmp_path)
    assert "parquet" in caught.value.hint


def test_too_little_space_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(StoreError, match="it needs about 960 B, and 10 B are free"):
        export({"train": labeled()}, "parquet", tmp_path)
    assert not contents_of(tmp_path)


def test_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write"):
        export({"train": labeled()}, "parquet", tmp_path / "file")


Run = Callable[..., subprocess.CompletedProcess[str]]


def run_export(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `dshub export` with synthetic data."""
    variables = {"DSHUB_CACHE": str(cache), "DSHUB_SYNTHETIC": "50", "DSHUB_OFFLINE": "1"}
    return run_dshub(cache.parent, "export", *arguments, **variables)


def test_command_exports_all_splits_or_one(cache: Path, tmp_path: Path) -> None:
    done = run_export(cache, "mnist", "--to", "parquet", str(tmp_path / "all"), "--json")
    answer = json.loads(done.stdout)
    assert answer["schema"] == 1
    assert {name: item["rows"] for name, item in answer["splits"].items()} == {
        "train": 50,
        "test": 50,
    }
    assert all(Path(path).is_file() for path in answer["splits"]["test"]["files"])
    dest = str(tmp_path / "some")
    done = run_export(cache, "mnist:train[:10%]", "--to", "csv", dest, "--columns", "label")
    assert done.returncode == 0
    assert "5 rows  train-10-00000-of-00001.csv" in done.stdout
    refused = run_export(cache, "mnist", "--to", "csv", str(tmp_path / "none"))
    assert refused.returncode == 1
    assert "column image holds images" in refused.stderr
    assert "--columns label" in refused.stderr
