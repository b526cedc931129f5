"""A killed import resumes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dshub.progress import Silent
from tests.independent.imagenet import NAME, World, everything, hub_of, rows_of

SCRIPT = """
import os, signal, sys
from pathlib import Path
from dshub import Hub, Settings
from dshub.progress import Silent
from dshub.tables.writer import TableWriter

cache, registry, path, wanted, end = sys.argv[1:]
TableWriter.__init__.__kwdefaults__["shard_bytes"] = 1  # a shard for each batch
import dshub.formats.folder, dshub.formats.parquet
dshub.formats.folder.BATCH_ROWS = 4
dshub.formats.parquet.MOST_ROWS = 4
pieces = dshub.formats.parquet.plain_pieces
dshub.formats.parquet.plain_pieces = lambda batches, *rest: (
    piece for batch in batches for piece in pieces([batch], *rest)
)
note = TableWriter._write_journal

def noted(self):
    note(self)
    if len(self._shards) == int(wanted):
        os.kill(os.getpid(), int(end))

TableWriter._write_journal = noted
hub = Hub(settings=Settings.read(cache=Path(cache), registry=(Path(registry),)), progress=Silent())
hub.import_files(sys.stdin.read(), [Path(path)])
hub.prepare("small-imagenet", splits=["train"])
"""

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="what became of a process is not known there"
)


class Said(Silent):
    """Keeps messages to the user."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def interrupted(world: World, cache: Path, path: Path, end: signal.Signals) -> None:
    """Import in a process that ends after two shards of four rows."""
    folder = world.folder / "registry"
    command = [sys.executable, "-c", SCRIPT, *map(str, (cache, folder, path, 2, int(end)))]
    done = subprocess.run(command, input=NAME, text=True, capture_output=True, check=False)
    assert done.returncode == -end, done.stderr


@pytest.mark.parametrize(
    ("form", "end"),
    [
        ("official", signal.SIGKILL),
        ("folders", signal.SIGINT),
        ("kaggle_zip", signal.SIGKILL),
        ("parquet", signal.SIGINT),
    ],
)
def test_complete_shards_are_reused(
    form: str, end: signal.Signals, world: World, tmp_path: Path, cache: Path
) -> None:
    """The next run says where it resumes; rows and list of checksums are complete."""
    path = getattr(world, form)(tmp_path / "mine")
    before = everything(tmp_path / "mine")
    interrupted(world, cache, path, end)
    said = Said()
    hub = hub_of(world, cache, said)
    hub.import_files(NAME, [path])
    (folder,) = hub.prepare(NAME, splits=["train"])
    (line,) = [line for line in said.lines if "interrupted" in line]
    assert line.startswith(f"resuming {NAME} train after 8 rows of an interrupted run")
    assert ("reading those again" in line) is (form == "parquet")
    assert rows_of(hub, "train") == world.truth("train")
    assert {item.state for item in hub.verify(NAME) if item.thing == "table train"} == {"ok"}
    if form in {"folders", "kaggle_zip"}:
        assert len((folder / "files.sha256").read_text().splitlines()) == len(world.train)
    assert everything(tmp_path / "mine") == before
    assert not list((cache / "partial-v1").glob("table-*[0-9a-f]"))


def test_shards_of_changed_files_are_not_reused(world: World, tmp_path: Path, cache: Path) -> None:
    """An image replaced by one of the same size is in the table."""
    tree = world.folders(tmp_path / "tree")
    interrupted(world, cache, tree, signal.SIGKILL)
    code, name, data = world.train[0]
    other = data[:-1] + bytes([data[-1] ^ 1])
    (tree / "train" / code / name).write_bytes(other)
    said = Said()
    hub = hub_of(world, cache, said)
    hub.import_files(NAME, [tree])
    assert rows_of(hub, "train")[0] == (0, other)
    assert not said.lines


def test_damaged_shard_is_made_again(world: World, tmp_path: Path, cache: Path) -> None:
    tree = world.folders(tmp_path / "tree")
    interrupted(world, cache, tree, signal.SIGKILL)
    (shard,) = (cache / "partial-v1").glob("table-*/train-00001.arrow")
    data = bytearray(shard.read_bytes())
    data[-40] ^= 1
    shard.write_bytes(data)
    said = Said()
    hub = hub_of(world, cache, said)
    assert rows_of(hub, "train") == world.truth("train")
    assert said.lines == [f"resuming {NAME} train after 4 rows of an interrupted run"]
