"""Exports that are done twice, interrupted, or find something in their way."""

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


def labelled(count: int = 40) -> Dataset:
    images = np.arange(count * 16, dtype=np.uint32).astype(np.uint8).reshape(count, 4, 4, 1)
    features: dict[str, Feature] = {
        "image": ImageFeature(shape=(4, 4, 1)),
        "label": LabelFeature(names=("a", "b", "c")),
    }
    return Dataset.from_arrays({"image": images, "label": np.arange(count) % 3}, features=features)


def content(folder: Path) -> dict[str, bytes]:
    """Every file that a person sees."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, to: str) -> None:
    """Whenever and wherever it is run, with nothing left beside the files."""
    made = []
    for name in ("one", "two"):
        export({"train": labelled()}, to, tmp_path / name, shard_size=300)
        made.append(content(tmp_path / name))
    assert made[0] == made[1]
    assert made[0]
    assert not list((tmp_path / "one").glob("partial*"))


def written(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Which files there are, and when each was written; reading them changes nothing of it."""
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (one.st_ino, one.st_size, one.st_mtime_ns) for path, one in found.items()}


@pytest.mark.parametrize("to", FORMATS)
def test_what_is_there_is_not_written_again(tmp_path: Path, to: str) -> None:
    """A second run touches nothing, and says that every shard was there."""
    first = export({"train": labelled()}, to, tmp_path, shard_size=300)["train"]
    before = written(tmp_path)
    second = export({"train": labelled()}, to, tmp_path, shard_size=300)["train"]
    assert (first.kept, second.kept) == (0, second.shards)
    assert written(tmp_path) == before


def test_a_shard_that_is_gone_or_cut_is_written_again(tmp_path: Path) -> None:
    """And no other one."""
    done = export({"train": labelled()}, "parquet", tmp_path, shard_size=300)["train"]
    before = content(tmp_path)
    done.files[0].unlink()
    done.files[2].write_bytes(b"cut")
    again = export({"train": labelled()}, "parquet", tmp_path, shard_size=300)["train"]
    assert again.kept == again.shards - 2
    assert content(tmp_path) == before


def test_a_folder_that_is_gone_is_written_again(tmp_path: Path) -> None:
    """From its beginning, although the record says that all of it was done."""
    export({"train": labelled()}, "imagefolder", tmp_path, shard_size=300)
    before = content(tmp_path)
    shutil.rmtree(tmp_path / "train")
    again = export({"train": labelled()}, "imagefolder", tmp_path, shard_size=300)["train"]
    record = json.loads((tmp_path / ".dshub-export.json").read_bytes())
    assert (again.kept, len(record["splits"]["train"]["done"])) == (0, again.shards)
    assert content(tmp_path) == before


def test_killed_while_a_lost_folder_is_written_again(tmp_path: Path) -> None:
    """What an older record says of a folder that was removed counts no more."""
    export({"train": labelled()}, "imagefolder", tmp_path, shard_size=300)
    before = content(tmp_path)
    shutil.rmtree(tmp_path / "train")

    class Stopped(Silent):
        def advance(self, amount: int) -> None:
            raise KeyboardInterrupt(amount)

    with pytest.raises(KeyboardInterrupt):
        export({"train": labelled()}, "imagefolder", tmp_path, shard_size=300, progress=Stopped())
    assert not (tmp_path / "train").exists()
    export({"train": labelled()}, "imagefolder", tmp_path, shard_size=300)
    assert content(tmp_path) == before


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


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
@pytest.mark.parametrize(
    "to",
    [
        "parquet",
        pytest.param("webdataset", marks=pytest.mark.slow),
        pytest.param("imagefolder", marks=pytest.mark.slow),
    ],
)
def test_killed_while_writing(tmp_path: Path, to: str) -> None:
    """Killed at random, again and again: no file is ever half there, and in the end all is well."""

    def run(folder: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", SCRIPT, to, str(tmp_path / folder)])

    assert run("whole").wait() == 0
    whole = content(tmp_path / "whole")
    chance, killed = random.Random(0), 0
    for _ in range(3):
        process = run("killed")
        record = tmp_path / "killed" / ".dshub-export.json"
        done = count(record)
        while process.poll() is None and count(record) == done:
            time.sleep(0.001)
        time.sleep(chance.random() / 50)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() < 0
        shown = content(tmp_path / "killed")
        shown = {name: data for name, data in shown.items() if not name.startswith("partial")}
        assert shown.items() <= whole.items()
    assert killed
    assert run("killed").wait() == 0
    assert content(tmp_path / "killed") == whole


def count(record: Path) -> int:
    """Shards that are on record."""
    if not record.exists():
        return 0
    return len(json.loads(record.read_bytes())["splits"].get("train", {"done": []})["done"])


def test_another_export_in_the_folder(tmp_path: Path) -> None:
    """Other rows are an error that says what differs; --force replaces them, to the last shard."""
    export({"train": labelled()}, "parquet", tmp_path, shard_size=100)
    for other, size, told in (
        (labelled().columns(["image"]), 100, "its columns was image, label, not image"),
        (labelled(), 1000, "its number of shards was"),
        (labelled().take(39), 100, "its rows were others"),
    ):
        with pytest.raises(DshubError, match=told) as caught:
            export({"train": other}, "parquet", tmp_path, shard_size=size)
        assert "--force" in caught.value.hint
    export({"train": labelled().take(5)}, "parquet", tmp_path, shard_size=10**6, force=True)
    assert list(content(tmp_path)) == ["train-00000-of-00001.parquet"]
    assert pq.read_table(tmp_path / "train-00000-of-00001.parquet").num_rows == 5


def test_another_format_in_the_folder(tmp_path: Path) -> None:
    """A folder holds one, so that who reads all its files reads one kind."""
    export({"train": labelled()}, "parquet", tmp_path)
    with pytest.raises(DshubError, match="holds an export to parquet, not arrow"):
        export({"train": labelled()}, "arrow", tmp_path)


def test_files_of_others_are_in_the_way(tmp_path: Path) -> None:
    """They are left alone, unless by force; a folder is left alone in any case."""
    mine = tmp_path / "train-00000-of-00001.parquet"
    mine.write_bytes(b"mine")
    with pytest.raises(DshubError, match="is there, and no export"):
        export({"train": labelled()}, "parquet", tmp_path)
    assert mine.read_bytes() == b"mine"
    export({"train": labelled()}, "parquet", tmp_path, force=True)
    assert pq.read_table(mine).num_rows == 40
    (tmp_path / "pictures" / "train").mkdir(parents=True)
    with pytest.raises(DshubError, match="is there, and no export"):
        export({"train": labelled()}, "imagefolder", tmp_path / "pictures", force=True)


def test_splits_lie_side_by_side(tmp_path: Path) -> None:
    """Each has its own shards; one added later leaves the others as they are."""
    export({"train": labelled(), "test": labelled(7)}, "parquet", tmp_path)
    before = content(tmp_path)
    export({"train[:10%]": labelled(4)}, "parquet", tmp_path)
    after = content(tmp_path)
    assert after.keys() - before.keys() == {"train-10-00000-of-00001.parquet"}
    assert before.items() <= after.items()
    with pytest.raises(DshubError, match="would both be called train-10"):
        export({"train[:10%]": labelled(), "train[10%:]": labelled()}, "parquet", tmp_path)


def test_no_rows_are_a_split_too(tmp_path: Path) -> None:
    """One file, or an empty folder, that says which columns there would be."""
    (path,) = export({"train": labelled().take(0)}, "parquet", tmp_path)["train"].files
    assert pq.read_table(path).schema.names == ["image", "label"]
    done = export({"train": labelled().take(0)}, "imagefolder", tmp_path / "pictures")
    assert list(done["train"].files[0].iterdir()) == []


def test_a_format_that_does_not_exist(tmp_path: Path) -> None:
    """The error names those that do."""
    with pytest.raises(UnknownNameError, match="no export format named 'parket'") as caught:
        export({"train": labelled()}, "parket", tmp_path)
    assert "parquet" in caught.value.hint


def test_too_little_space_is_said_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first byte."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(StoreError, match="about 960 B are to be written and 10 B are free"):
        export({"train": labelled()}, "parquet", tmp_path)
    assert not content(tmp_path)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """The system's words come as an error of ours."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot write"):
        export({"train": labelled()}, "parquet", tmp_path / "file")


Run = Callable[..., subprocess.CompletedProcess[str]]


def command(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`dshub export` as a person runs it, with a stand-in."""
    variables = {"DSHUB_CACHE": str(cache), "DSHUB_SYNTHETIC": "50", "DSHUB_OFFLINE": "1"}
    return run_dshub(cache.parent, "export", *arguments, **variables)


def test_the_command(cache: Path, tmp_path: Path) -> None:
    """All splits, or one by its expression; the answer names rows, shards and files."""
    done = command(cache, "mnist", "--to", "parquet", str(tmp_path / "all"), "--json")
    answer = json.loads(done.stdout)
    assert answer["schema"] == 1
    assert {name: item["rows"] for name, item in answer["splits"].items()} == {
        "train": 50,
        "test": 50,
    }
    assert all(Path(path).is_file() for path in answer["splits"]["test"]["files"])
    dest = str(tmp_path / "some")
    done = command(cache, "mnist:train[:10%]", "--to", "csv", dest, "--columns", "label")
    assert done.returncode == 0
    assert "5 rows in train-10-00000-of-00001.csv" in done.stdout
    refused = command(cache, "mnist", "--to", "csv", str(tmp_path / "none"))
    assert refused.returncode == 1
    assert "column image holds pictures" in refused.stderr
    assert "--columns label" in refused.stderr
