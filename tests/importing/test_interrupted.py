import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dshub.progress import Silent
from tests.independent.imagenet import NAME, World, file_states, hub_of, rows_of

SCRIPT = """
import os, signal, sys
from pathlib import Path
from dshub import Hub, Settings
from dshub.progress import Silent
from dshub.tables.writer import TableWriter

cache, registry, path, shard_count, end = sys.argv[1:]
TableWriter.__init__.__kwdefaults__["shard_bytes"] = 1  # write one shard per batch
import dshub.formats.folder, dshub.formats.parquet
dshub.formats.folder.BATCH_ROWS = 4
dshub.formats.parquet.MOST_ROWS = 4
pieces = dshub.formats.parquet.plain_pieces
dshub.formats.parquet.plain_pieces = lambda batches, *rest: (
    piece for batch in batches for piece in pieces([batch], *rest)
)
write_journal = TableWriter._write_journal

def write_journal_and_stop(self):
    write_journal(self)
    if len(self._shards) == int(shard_count):
        os.kill(os.getpid(), int(end))

TableWriter._write_journal = write_journal_and_stop
hub = Hub(settings=Settings.read(cache=Path(cache), registry=(Path(registry),)), progress=Silent())
hub.import_files(sys.stdin.read(), [Path(path)])
hub.prepare("small-imagenet", splits=["train"])
"""

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="Windows does not report the signal that ended a process"
)


class Messages(Silent):
    """A progress listener that collects messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def interrupt_import(world: World, cache: Path, path: Path, end: signal.Signals) -> None:
    """Run an import that is killed after two shards of four rows."""
    folder = world.folder / "registry"
    command = [sys.executable, "-c", SCRIPT, *map(str, (cache, folder, path, 2, int(end)))]
    done = subprocess.run(command, input=NAME, text=True, capture_output=True, check=False)
    assert done.returncode == -end, done.stderr


@pytest.mark.parametrize(
    ("layout", "end"),
    [
        ("official", signal.SIGKILL),
        ("folders", signal.SIGINT),
        ("kaggle_zip", signal.SIGKILL),
        ("parquet", signal.SIGINT),
    ],
)
def test_complete_shards_are_reused(
    layout: str, end: signal.Signals, world: World, tmp_path: Path, cache: Path
) -> None:
    """A message reports the row at which the import resumes."""
    path = getattr(world, layout)(tmp_path / "mine")
    before = file_states(tmp_path / "mine")
    interrupt_import(world, cache, path, end)
    messages = Messages()
    hub = hub_of(world, cache, messages)
    hub.import_files(NAME, [path])
    (folder,) = hub.prepare(NAME, splits=["train"])
    (line,) = [line for line in messages.lines if "interrupted" in line]
    assert line.startswith(f"resuming {NAME} train after 8 rows of an interrupted run")
    assert ("reading those again" in line) is (layout == "parquet")
    assert rows_of(hub, "train") == world.truth("train")
    assert {item.state for item in hub.verify(NAME) if item.thing == "table train"} == {"ok"}
    if layout in {"folders", "kaggle_zip"}:
        assert len((folder / "files.sha256").read_text().splitlines()) == len(world.train)
    assert file_states(tmp_path / "mine") == before
    assert not list((cache / "partial-v1").glob("table-*[0-9a-f]"))


def test_shards_of_changed_files_are_not_reused(world: World, tmp_path: Path, cache: Path) -> None:
    """The replacement has the same size as the original image."""
    tree = world.folders(tmp_path / "tree")
    interrupt_import(world, cache, tree, signal.SIGKILL)
    code, name, data = world.train[0]
    other = data[:-1] + bytes([data[-1] ^ 1])
    (tree / "train" / code / name).write_bytes(other)
    messages = Messages()
    hub = hub_of(world, cache, messages)
    hub.import_files(NAME, [tree])
    assert rows_of(hub, "train")[0] == (0, other)
    assert not messages.lines


def test_damaged_shard_is_rebuilt(world: World, tmp_path: Path, cache: Path) -> None:
    tree = world.folders(tmp_path / "tree")
    interrupt_import(world, cache, tree, signal.SIGKILL)
    (shard,) = (cache / "partial-v1").glob("table-*/train-00001.arrow")
    data = bytearray(shard.read_bytes())
    data[-40] ^= 1
    shard.write_bytes(data)
    messages = Messages()
    hub = hub_of(world, cache, messages)
    assert rows_of(hub, "train") == world.truth("train")
    assert messages.lines == [f"resuming {NAME} train after 4 rows of an interrupted run"]
