"""Test datasets saved in a folder, and cached results of `map`."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
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
    """Return rows with every kind of column."""
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
    """Limit shards to a few hundred rows."""
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


def test_folder_that_exists_is_not_touched(ds: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="it already exists") as raised:
        ds.save(tmp_path)
    assert raised.value.hint == "choose another folder, or remove this folder first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folder_without_a_dataset_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*dataset\.json") as raised:
        Dataset.open(tmp_path)
    assert raised.value.hint == "pass a folder that ds.save(folder) wrote"


def test_damaged_shard_is_an_error(ds: Dataset, tmp_path: Path) -> None:
    ds.save(tmp_path / "rows")
    shard = tmp_path / "rows" / "rows-00000.arrow"
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
    assert len(calls) <= COUNT + saved.SAMPLES**2
    calls.clear()
    second = mapped.cache("halves", folder=tmp_path)
    assert second["half"].tolist() == first["half"].tolist() == (np.arange(COUNT) / 2).tolist()
    assert not calls


def test_results_of_versions_and_names_are_different_sources(ds: Dataset, tmp_path: Path) -> None:
    def cached(value: int, **arguments: str) -> int:
        first = ds.map(lambda _: {"value": value}).cache(**arguments, folder=tmp_path)  # type: ignore[arg-type]
        second = first.map(lambda row: {"next": row["value"] + 1})
        return int(second.cache("next", folder=tmp_path)[0]["next"])

    assert cached(1, name="a") == 2
    assert cached(2, name="a", version="2") == 3
    assert cached(3, name="b") == 4


def test_spawned_workers_compute_the_same_rows(tmp_path: Path) -> None:
    """Windows and macOS start new processes instead of forking."""
    spawned = SLOW.replace(
        "saved.SHARD_BYTES", "saved.in_processes.__globals__['METHOD'] = 'spawn'\nsaved.SHARD_BYTES"
    )
    (tmp_path / "script.py").write_text(spawned)
    done = subprocess.run(
        [sys.executable, "script.py", "0", "2"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(done.stdout) == 2 * sum(range(20_000))


def test_two_processes_compute_the_rows_once(tmp_path: Path) -> None:
    running = start_slow(tmp_path, workers=2)
    resume_environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    second = subprocess.run(
        [sys.executable, "script.py", "0", "2"],
        cwd=tmp_path,
        env=resume_environment,
        check=True,
        capture_output=True,
        text=True,
    )
    running.communicate()
    assert running.returncode == 0
    assert int(second.stdout) == 2 * sum(range(20_000))
    assert (tmp_path / "calls").stat().st_size <= 20_000 + 2 * 100 + saved.SAMPLES**2


@pytest.mark.usefixtures("small_shards")
def test_rows_sorted_by_size_give_small_shards(tmp_path: Path) -> None:
    texts = ["x" * (number // 10) for number in range(COUNT)]
    Dataset.from_arrays({"text": texts}).save(tmp_path / "rows")
    sizes = [path.stat().st_size for path in (tmp_path / "rows").glob("*.arrow")]
    assert max(sizes) < 3 * 30_000


def test_small_datasets_have_shards_for_several_workers(tmp_path: Path) -> None:
    Dataset.from_arrays({"n": np.arange(100_000)}).save(tmp_path / "rows")
    assert len(list((tmp_path / "rows").glob("*.arrow"))) == saved.SHARDS


def test_no_rows_are_saved(ds: Dataset, tmp_path: Path) -> None:
    ds.take(0).save(tmp_path / "rows", workers=2)
    opened = Dataset.open(tmp_path / "rows")
    assert (len(opened), opened.features) == (0, ds.features)
    assert (opened["text"], len(opened["n"]), opened.arrow().num_rows) == ([], 0, 0)


def test_result_in_a_cache_without_write_access_is_opened(ds: Dataset, tmp_path: Path) -> None:
    ds.cache("rows", folder=tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert same(ds.cache("rows", folder=tmp_path), ds)
    assert sorted(tmp_path.rglob("*")) == before


def test_cached_files_stay_files(photos: Dataset, tmp_path: Path) -> None:
    files = photos.decode(False)
    assert files.cache("files", folder=tmp_path)[0] == files[0]


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


@pytest.mark.parametrize("name", ["", "../up", "a b", ".hidden", "con", "own/nul.txt", 5])
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


SLOW = """
import sys, time
import numpy as np
from dshub import Dataset
from dshub.datasets import saved
saved.SHARD_BYTES = 10_000
def slow(batch):
    with open("calls", "a") as calls:
        calls.write("x" * len(batch["n"]))
    time.sleep(float(sys.argv[1]))
    return {"m": batch["n"] * 2}
if __name__ == "__main__":
    ds = Dataset.from_arrays({"n": np.arange(20_000)}).map(slow, batched=True)
    result = ds.cache("doubled", folder=".", workers=int(sys.argv[2]))
    print(result["m"].sum())
"""


def start_slow(folder: Path, workers: int) -> "subprocess.Popen[bytes]":
    """Start a run in a new session, and wait until it has finished three shards."""
    (folder / "script.py").write_text(SLOW)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "script.py", "0.05", str(workers)]
    running = subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(finished(folder)) < 3:
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.01)
    return running


def finished(folder: Path) -> list[Path]:
    return list((folder / "derived-v1" / "doubled").glob("*/rows-?????.arrow"))


def resume(folder: Path, kept: int, workers: int) -> None:
    """Finish an interrupted run, and check how many rows it computes."""
    (folder / "calls").unlink()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "script.py", "0", str(workers)]
    done = subprocess.run(
        command, cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    assert int(done.stdout) == 2 * sum(range(20_000))
    shards = len(finished(folder))
    inferring = 100  # rows that `map` uses to infer features
    rows = (folder / "calls").stat().st_size - inferring
    assert rows == pytest.approx(20_000 * (shards - kept) / shards, abs=20_000 / shards)
    (result,) = (folder / "derived-v1" / "doubled").iterdir()
    assert {path.suffix for path in result.iterdir()} == {".arrow", ".json"}
    assert not (result / "plan.json").exists()


def calls_end(folder: Path) -> bool:
    """Return True once processes have stopped computing rows."""
    size = -1
    for _ in range(40):
        if size == (size := (folder / "calls").stat().st_size):
            return True
        time.sleep(0.5)
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_run_loses_at_most_the_shards_in_progress(tmp_path: Path, workers: int) -> None:
    running = start_slow(tmp_path, workers)
    running.kill()
    running.communicate()
    assert calls_end(tmp_path)
    resume(tmp_path, len(finished(tmp_path)), workers)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    running = start_slow(tmp_path, workers=2)
    running.kill()
    running.communicate()
    deadline = time.monotonic() + 20
    while members := session_members(running.pid):
        assert time.monotonic() < deadline, members
        time.sleep(0.1)


def session_members(session: int) -> list[int]:
    """Return the running processes of a session."""
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, *numbers = path.read_text().rpartition(")")[2].split()[:4]
            if int(numbers[2]) == session and state != "Z":
                members.append(int(path.parent.name))
    return members


@pytest.mark.skipif(sys.platform != "linux", reason="sends SIGINT to a process group")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_finished_shards_and_leaves_no_process(tmp_path: Path, workers: int) -> None:
    running = start_slow(tmp_path, workers)
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=20)
    assert errors.count(b"KeyboardInterrupt") == 1
    assert not session_members(running.pid)
    kept = len(finished(tmp_path))
    assert kept >= 3
    resume(tmp_path, kept, workers)


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
@pytest.mark.parametrize("workers", [1, 2])
def test_full_disk_is_reported_and_leaves_no_part_of_a_shard(tmp_path: Path, workers: int) -> None:
    """The test limits the file size instead of filling a disk."""
    script = SLOW.replace("import sys, time", "import resource, signal, sys, time") + (
        '    ds = ds.columns(["n"])\n'
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    limit = (5_000, resource.RLIM_INFINITY)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, limit)\n"
        '    ds.save("large", workers=int(sys.argv[2]))\n'
    )
    (tmp_path / "script.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "script.py", "0", str(workers)],
        cwd=tmp_path,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "DiskFullError" in done.stderr
    assert "the file would exceed the size limit" in done.stderr
    assert not list((tmp_path / "large.partial").glob("rows-?????.arrow"))


@pytest.mark.usefixtures("small_shards")
def test_worker_that_dies_is_reported(ds: Dataset, tmp_path: Path) -> None:
    parent = os.getpid()
    mapped = ds.map(lambda _: os._exit(3) if os.getpid() != parent else {"m": 1})
    with pytest.raises(DshubError, match="a worker process died") as raised:
        mapped.cache("rows", folder=tmp_path, workers=2)
    assert "fewer workers" in raised.value.hint


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="needs root")
@pytest.mark.parametrize("planted", ["folder", "link"])
def test_unfinished_folder_of_another_user_is_not_used(
    ds: Dataset, tmp_path: Path, planted: str
) -> None:
    partial, elsewhere = tmp_path / "rows.partial", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()
    if planted == "folder":
        partial.mkdir()
    else:
        partial.symlink_to(elsewhere)
    os.chown(partial, 65534, -1, follow_symlinks=False)
    with pytest.raises(StoreError, match="another user created it"):
        ds.save(tmp_path / "rows")
    assert (elsewhere / "mine").exists()
    assert not (tmp_path / "rows").exists()
