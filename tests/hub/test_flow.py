"""From names to rows: each manifest is read once, each plan made once, each failure tried twice."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from dshub import Hub, Settings
from dshub.catalog.sources import built_in_root
from dshub.errors import DshubError, ManifestError, Vanished
from dshub.hub.request import Request
from dshub.tables import building

NAME = "fashion-mnist"


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub whose datasets are small and synthetic, so that nothing has to be fetched."""
    return Hub(settings=Settings(cache=tmp_path / "cache", synthetic=20))


def test_fetch_opens_each_manifest_once_and_plans_once(tmp_path: Path) -> None:
    """Whatever a command does with a dataset, it is the one manifest that it read first."""
    script = """
import sys
from collections import Counter
opened, planned = Counter(), Counter()
sys.addaudithook(lambda event, args: event == "open" and opened.update([str(args[0])]))
from dshub.hub import plan
make_plan = plan.make_plan
plan.make_plan = lambda *args, **options: planned.update(["plan"]) or make_plan(*args, **options)
sys.argv = ["dshub", "fetch", *sys.argv[1:]]
from dshub.cli import main
try:
    main()
finally:
    manifests = {name: count for name, count in opened.items() if "/registry/" in name}
    print(max(manifests.values()), len(manifests), planned["plan"], file=sys.stderr)
"""
    environment = {"DSHUB_CACHE": str(tmp_path), "DSHUB_SYNTHETIC": "20", "DSHUB_LOCK": "off"}
    done = subprocess.run(
        [sys.executable, "-c", script, NAME, "emnist/letters"],
        env={**environment, "PYTHONPATH": str(built_in_root().parent), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "1 2 1"


def test_preparation_that_fails_is_not_tried_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that another try would give again is raised at once."""
    tries = Counter[str]()

    def fail(*_: object, **__: object) -> None:
        tries["make"] += 1
        raise DshubError("it fails") from FileNotFoundError("/elsewhere")

    monkeypatch.setattr(building, "make", fail)
    with pytest.raises(DshubError, match="it fails"):
        hub.load(NAME, "train")
    assert tries["make"] == 1


def test_work_is_done_once_more_when_a_cached_file_vanishes(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dshub cache` beside a load costs a second try, and never a third."""
    tries = Counter[str]()

    def vanish(*_: object, **__: object) -> None:
        tries["make"] += 1
        raise Vanished(path="/cache/blobs-v1/aa/bb")

    monkeypatch.setattr(building, "make", vanish)
    with pytest.raises(Vanished):
        hub.load(NAME, "train")
    assert tries["make"] == 2


def test_vanished_file_is_told_from_any_other_missing_file(hub: Hub, tmp_path: Path) -> None:
    """Only a file of the cache that was in use is worth another try."""
    there = tmp_path / "there"
    there.write_bytes(b"")
    with pytest.raises(FileNotFoundError), hub.store.using([there]):
        (tmp_path / "missing").open()
    with pytest.raises(Vanished), hub.store.using([there]):
        there.unlink()
        there.open()


def test_table_that_vanishes_before_it_is_opened_is_made_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that `find` saw and `open` does not find is prepared like any missing one."""
    from dshub.datasets.dataset import Dataset

    hub.load(NAME, "train")
    from_tables = Dataset.from_tables

    def removed(folders: list[Path]) -> Dataset:
        monkeypatch.setattr(Dataset, "from_tables", from_tables)
        (folders[0] / "table.json").unlink()
        folders[0].rename(folders[0].with_name("gone"))
        return from_tables(folders)

    monkeypatch.setattr(Dataset, "from_tables", removed)
    assert len(hub.load(NAME, "train")) == 20


def test_ready_split_loads_without_downloader_archives_or_formats(tmp_path: Path) -> None:
    """Opening a prepared table imports what reads tables, and nothing that makes them."""
    script = """
import sys
from dshub import load
assert load("fashion-mnist", "train").numpy()["image"].shape[0] == 20
heavy = ("download", "archives", "formats", "importing.files", "tables.building", "tables.steps")
print([name for name in sys.modules if name.startswith(tuple(f"dshub.{one}" for one in heavy))])
"""
    environment = {"DSHUB_CACHE": str(tmp_path), "DSHUB_SYNTHETIC": "20", "DSHUB_LOCK": "off"}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**environment, "PYTHONPATH": str(built_in_root().parent), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert outputs[1] == "[]\n"


def test_plan_says_what_will_stop_it(tmp_path: Path) -> None:
    """What `run` would raise stands in the plan before anything is done."""
    hub = Hub(settings=Settings(cache=tmp_path / "cache", offline=True))
    plan = hub.plan(hub.resolve(NAME))
    (problem,) = plan.problems
    with pytest.raises(type(problem)) as raised:
        hub.run(plan)
    assert str(raised.value) == str(problem)


def test_reader_that_refuses_its_options_stops_a_run_before_it_fetches(tmp_path: Path) -> None:
    """A faulty manifest costs no download."""
    hub = Hub(settings=Settings(cache=tmp_path / "cache"))
    manifest = hub.info(NAME)
    split = msgspec.structs.replace(manifest.splits["train"], reader={"format": "idx", "odd": 1})
    faulty = msgspec.structs.replace(manifest, splits={"train": split})
    plan = hub.plan(Request.of(faulty))
    with pytest.raises(ManifestError, match="odd"):
        hub.run(plan, source=str(tmp_path))
