"""Test datasets saved in a folder, and cached results of `map`."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import LabelFeature
from dshub.datasets import saved
from dshub.errors import ArgumentError, DshubError, FunctionError, StoreError

COUNT = 3000


@pytest.fixture
def ds() -> Dataset:
    """Rows of every kind of column."""
    columns: dict[str, Any] = {
        "n": np.arange(COUNT),
        "text": [f"text {number}" for number in range(COUNT)],
        "ids": [[number] * (number % 3) for number in range(COUNT)],
        "label": np.arange(COUNT) % 2,
        "grid": np.arange(COUNT * 6, dtype=np.float32).reshape(COUNT, 2, 3),
    }
    label = LabelFeature(names=("even", "odd"))
    return Dataset.from_arrays(columns, features={"label": label}, supervised=("text", "label"))


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make shards of some hundred rows."""
    monkeypatch.setattr(saved, "SHARD_BYTES", 30_000)


def same(a: Dataset, b: Dataset) -> bool:
    return a.arrow().equals(b.arrow())


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("workers", [1, 2])
def test_saved_rows_come_back(ds: Dataset, tmp_path: Path, workers: int) -> None:
    view = ds.shuffle(1)
    view.save(tmp_path / "rows", workers=workers)
    opened = Dataset.open(tmp_path / "rows")
    assert (opened.features, opened.supervised) == (view.features, ("text", "label"))
    assert opened.arrow().to_pylist() == view.arrow().to_pylist()
    assert len(list((tmp_path / "rows").glob("*.arrow"))) > 3
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


@pytest.mark.usefixtures("small_shards")
def test_bytes_do_not_depend_on_workers(ds: Dataset, tmp_path: Path) -> None:
    for workers in (1, 2):
        ds.save(tmp_path / str(workers), workers=workers)
    names = sorted(path.name for path in (tmp_path / "1").glob("*.arrow"))
    assert names == sorted(path.name for path in (tmp_path / "2").glob("*.arrow"))
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_images_are_saved_as_files(photos: Dataset, tmp_path: Path) -> None:
    photos.save(tmp_path / "photos")
    opened = Dataset.open(tmp_path / "photos")
    assert opened.decode(False)[0] == photos.decode(False)[0]
    assert opened[1]["image"].tolist() == photos[1]["image"].tolist()


def test_folder_with_other_content_is_not_touched(ds: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="it exists, and has other content"):
        ds.save(tmp_path)
    ds.save(tmp_path / "rows")
    ds.save(tmp_path / "rows")
    with pytest.raises(StoreError, match="it exists, and has other content"):
        ds.take(5).save(tmp_path / "rows")


def test_folder_without_a_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*dataset\.json") as raised:
        Dataset.open(tmp_path)
    assert raised.value.hint == "ds.save(folder) writes such a folder"


def test_damaged_shard_is_an_error(ds: Dataset, tmp_path: Path) -> None:
    ds.save(tmp_path / "rows")
    (shard,) = (tmp_path / "rows").glob("*.arrow")
    shard.write_bytes(shard.read_bytes()[:-2000])
    with pytest.raises(StoreError, match=r"rows-00000\.arrow"):
        Dataset.open(tmp_path / "rows")["text"]


def test_cached_map_is_computed_once(ds: Dataset, tmp_path: Path) -> None:
    calls = []

    def halve(row: dict[str, Any]) -> dict[str, Any]:
        calls.append(row)
        return {"half": row["n"] / 2}

    mapped = ds.map(halve)
    calls.clear()
    first = mapped.cache("halves", folder=tmp_path)
    assert len(calls) <= COUNT + saved.SAMPLE
    calls.clear()
    second = mapped.cache("halves", folder=tmp_path)
    assert second["half"].tolist() == first["half"].tolist() == (np.arange(COUNT) / 2).tolist()
    assert not calls


def test_name_version_and_source_decide_what_is_opened(ds: Dataset, tmp_path: Path) -> None:
    def cached(view: Dataset, value: int, name: str = "x", version: str = "1") -> int:
        mapped = view.map(lambda _: {"value": value})
        return int(mapped.cache(name, version=version, folder=tmp_path)[0]["value"])

    assert cached(ds, 1) == 1
    assert cached(ds, 2) == 1  # the code of the function does not matter
    assert cached(ds, 3, version="2") == 3
    assert cached(ds, 4, name="y") == 4
    assert cached(ds.skip(1), 5) == 5


def test_cache_folder_is_that_of_the_settings(
    ds: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSHUB_CACHE", str(tmp_path))
    ds.cache("rows")
    assert [path.parent.parent.name for path in tmp_path.glob("**/dataset.json")] == ["rows"]
    assert (tmp_path / "derived-v1").is_dir()


@pytest.mark.parametrize("name", ["", "../up", "a b", ".hidden", 5])
def test_names_that_no_folder_should_have_are_rejected(ds: Dataset, name: Any) -> None:
    with pytest.raises(ArgumentError, match="such as 'imdb-bert'"):
        ds.cache(name)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("workers", [1, 2])
def test_failed_run_keeps_finished_shards(ds: Dataset, tmp_path: Path, workers: int) -> None:
    flag = tmp_path / "broken"
    flag.touch()

    def sometimes(row: dict[str, Any]) -> dict[str, Any]:
        with (tmp_path / "calls").open("a") as file:
            file.write(".")
        if flag.exists() and row["n"] > COUNT - 10:
            raise OSError("no tape")
        return {"m": row["n"]}

    mapped = ds.map(sometimes)
    with pytest.raises(FunctionError, match="OSError: no tape"):
        mapped.cache("rows", folder=tmp_path, workers=workers)
    flag.unlink()
    (tmp_path / "calls").unlink()
    result = mapped.cache("rows", folder=tmp_path, workers=workers)
    assert result["m"].tolist() == list(range(COUNT))
    assert (tmp_path / "calls").stat().st_size < COUNT / 2


def test_killed_run_loses_at_most_the_shards_in_progress(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            import numpy as np
            from dshub import Dataset
            from dshub.datasets import saved
            saved.SHARD_BYTES = 10_000
            calls = open("calls", "a")
            def slow(batch):
                calls.write("x" * len(batch["n"])); calls.flush()
                time.sleep(float(sys.argv[1]))
                return {"m": batch["n"] * 2}
            ds = Dataset.from_arrays({"n": np.arange(20_000)}).map(slow, batched=True)
            result = ds.cache("doubled", folder=".")
            print(result["m"].sum())
            """
        )
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script)]
    running = subprocess.Popen([*command, "0.05"], cwd=tmp_path, env=environment)
    folder = tmp_path / "derived-v1" / "doubled"
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.partial/rows-*.arrow"))) < 3:
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    running.wait()
    kept = len(list(folder.glob("*.partial/rows-*.arrow")))
    (tmp_path / "calls").unlink()
    done = subprocess.run(
        [*command, "0"], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert int(done.stdout) == 2 * sum(range(20_000))
    shards = len(list(folder.glob("*/rows-*.arrow")))
    inferring = 100  # rows that `map` uses to infer features
    rows = (tmp_path / "calls").stat().st_size - inferring
    assert rows == pytest.approx(20_000 * (shards - kept) / shards, abs=20_000 / shards)


@pytest.mark.usefixtures("small_shards")
def test_worker_that_dies_is_reported(ds: Dataset, tmp_path: Path) -> None:
    parent = os.getpid()
    mapped = ds.map(lambda _: os._exit(3) if os.getpid() != parent else {"m": 1})
    with pytest.raises(DshubError, match="a worker process died") as raised:
        mapped.cache("rows", folder=tmp_path, workers=2)
    assert "fewer workers" in raised.value.hint
