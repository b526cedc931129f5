import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from dshub.catalog.features import (
    Feature,
    NumberFeature,
)
from dshub.checksums import Digest
from dshub.tables.conforming import conform
from dshub.tables.record import TableRecord
from dshub.tables.table import Table
from dshub.tables.writer import TableWriter
from tests.tables.example import FEATURES, expected, manifest, plain, write


def test_table_folder_contains_shards_and_a_record(tmp_path: Path) -> None:
    record = write(tmp_path / "t", 53, batch=10, shard_bytes=700)
    names = [shard.file for shard in record.shards]
    assert names == [f"train-{i:05d}-of-{len(names):05d}.arrow" for i in range(len(names))]
    assert len(names) > 2
    assert {path.name for path in (tmp_path / "t").iterdir()} == {*names, "table.json"}
    assert sum(shard.rows for shard in record.shards) == record.rows == 53
    for shard in record.shards:
        path = tmp_path / "t" / shard.file
        assert (path.stat().st_size, Digest.of_file(path).hex) == (shard.size, shard.sha256)
        with pa.OSFile(str(path)) as file:
            (batch,) = pa.ipc.open_stream(file)
        assert batch.num_rows == shard.rows
    data = b"".join((tmp_path / "t" / name).read_bytes() for name in names)
    texts = [*expected(53)["text"], *(word for row in expected(53)["words"] for word in row)]
    assert data.count(("x" * 300).encode()) == sum("x" * 300 in text for text in texts)
    assert TableRecord.read(tmp_path / "t" / "table.json") == record
    stored = json.loads((tmp_path / "t" / "table.json").read_text())
    assert (stored["schema"], stored["name"], stored["rows"]) == (1, "ds", 53)


def test_writer_removes_unfinished_shards_on_exit(tmp_path: Path) -> None:
    features: dict[str, Feature] = {"n": NumberFeature(dtype="int8")}
    batch = pa.RecordBatch.from_pydict({"n": pa.array([1], pa.int8())})
    with TableWriter(tmp_path, manifest(1, features), "train") as writer:
        writer.write(conform(batch, features, where="ds", first_row=0))
        assert list(tmp_path.iterdir()) != []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_wide_table_needs_few_open_files(tmp_path: Path) -> None:
    """A table of genes has more columns than a process may have open files."""
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
from pathlib import Path
import pyarrow as pa
from dshub.catalog.features import NumberFeature, TextFeature
from dshub.tables.conforming import conform
from dshub.tables.table import Table
from dshub.tables.writer import TableWriter
from tests.tables.example import manifest
kinds = [NumberFeature(dtype="int16"), TextFeature()]
features = {{f"g{{i}}": kinds[i % 2] for i in range(600)}}
folder = Path({str(tmp_path)!r})
columns = {{n: pa.array([5, 6], pa.int16()) for n in features}}
columns |= {{f"g{{i}}": ["é", "xy"] for i in range(1, 600, 2)}}
with TableWriter(folder, manifest(2, features), "train", shard_bytes=1000) as writer:
    for i in range(2):
        batch = pa.RecordBatch.from_pydict(columns).slice(i, 1)
        writer.write(conform(batch, features, where="ds", first_row=i))
    writer.close({{}})
table = Table(folder)
assert len(list(folder.glob("*.arrow"))) == 2
assert list(table.span("g598", 0, 2)) == [5, 6]
assert list(table.span("g599", 0, 2)) == ["é", "xy"]
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_shard_ends_before_32_bit_offsets_overflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dshub.tables.writer.OFFSET_LIMIT", 2000)
    record = write(tmp_path / "t", 53, batch=3, shard_bytes=1 << 30)
    assert len(record.shards) > 1
    table = Table(tmp_path / "t")
    assert {name: plain(table.span(name, 0, 53)) for name in FEATURES} == expected(53)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "kind",
    [
        "pixels",
        pytest.param("files", marks=pytest.mark.slow),
        pytest.param("lists", marks=pytest.mark.slow),
    ],
)
def test_memory_stays_flat_while_writing(tmp_path: Path, kind: str) -> None:
    script = """
import re, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from dshub.catalog.features import ImageFeature, ListFeature, NumberFeature
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.tables.conforming import conform
from dshub.tables.writer import TableWriter

def private():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10

kinds = {"pixels": ImageFeature(shape=(1000, 1000, 1)), "files": ImageFeature(encoding="any"),
    "lists": ListFeature(of=NumberFeature(dtype="uint8"))}
features = {"image": kinds[sys.argv[2]]}
manifest = Manifest(schema=1, name="ds", version="1.0.0", title="", summary="", task="",
    homepage="", resources={"r": Resource(filename="r", sha256="0" * 64)}, features=features,
    splits={"train": Split(rows=300, reader={"format": "idx"}, files={"image": "r"})})
start = most = private()
writer = TableWriter(Path(sys.argv[1]), manifest, "train")
for i in range(60):
    column = pa.array(np.full(5_000_000, i, np.uint8))
    if sys.argv[2] == "files":
        column = pa.array([b"BM" + bytes(999_998)] * 5)
    elif sys.argv[2] == "lists":
        ends = pa.array(range(0, 5_000_001, 1_000_000), pa.int32())
        column = pa.ListArray.from_arrays(ends, column)
    else:
        for length in (1, 1000, 1000):
            column = pa.FixedSizeListArray.from_arrays(column, length)
    batch = pa.RecordBatch.from_pydict({"image": column})
    writer.write(conform(batch, features, where="ds", first_row=0))
    most = max(most, private())
writer.close({})
print(max(most, private()) - start)
"""
    command = [sys.executable, "-c", script, str(tmp_path), kind]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 300_000_000
    assert int(done.stdout) < 200
