"""Tables: what was written comes back, from any number of shards."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.catalog.features import (
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.checksums import Digest
from dshub.errors import StoreError
from dshub.tables.conforming import conform
from dshub.tables.record import TableRecord
from dshub.tables.table import Table
from dshub.tables.types import row_dtype
from dshub.tables.writer import TableWriter
from tests.manifests import IDX, make_manifest

FEATURES: dict[str, Feature] = {
    "image": ImageFeature(shape=(2, 3, 1)),
    "label": LabelFeature(names=("a", "b", "c")),
    "vector": NumberFeature(dtype="float64", shape=(2,)),
    "text": TextFeature(),
    "photo": ImageFeature(encoding="any"),
    "words": ListFeature(of=TextFeature()),
    "kinds": ListFeature(of=LabelFeature(names=("a", "b", "c"))),
    "boxes": ListFeature(of=NumberFeature(dtype="float32", shape=(4,))),
}
SINGLE = [name for name, feature in FEATURES.items() if row_dtype(feature) is not None]
LISTS = {name: list if name == "words" else np.ndarray for name in FEATURES}
TEXTS = ["", "plain", "ein Wörtchen", "日本語 😀", "\0 and \n", "x" * 300, ""]


def manifest(rows: int, features: dict[str, Feature] = FEATURES) -> Manifest:
    """Return a manifest with those features and one split."""
    return make_manifest(
        {"r": Resource(filename="r", sha256="0" * 64)},
        name="ds",
        features=features,
        splits={"train": Split(rows=rows, reader=IDX, files={"image": "r"})},
    )


def expected(rows: int) -> dict[str, list[Any]]:
    """Return the columns as plain Python values."""
    return {
        "image": [
            [[[(i * 6 + y * 3 + x) % 256] for x in range(3)] for y in range(2)] for i in range(rows)
        ],
        "label": [i % 3 for i in range(rows)],
        "vector": [[i / 4, -i] for i in range(rows)],
        "text": [TEXTS[i % 7] + str(i) * (i % 2) for i in range(rows)],
        "photo": [b"BM" + bytes(range(i)) for i in range(rows)],
        "words": [TEXTS[i % 7 : i % 7 + i % 4] for i in range(rows)],
        "kinds": [[(i + j) % 3 for j in range(i * 7 % 5)] for i in range(rows)],
        "boxes": [[[i, j, i / 2, -j] for j in range(i % 3)] for i in range(rows)],
    }


def whole_batch(rows: int) -> pa.RecordBatch:
    """Return the expected rows as readers yield them."""
    columns = expected(rows)
    image = pa.array(np.array(columns["image"], np.uint8).reshape(-1))
    for length in (1, 3, 2):
        image = pa.FixedSizeListArray.from_arrays(image, length)
    vector = pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(columns["vector"])), 2)
    found = {"image": image, "label": pa.array(columns["label"]), "vector": vector}
    found |= {name: pa.array(columns[name]) for name in ("text", "photo", "words", "kinds")}
    boxes = pa.list_(pa.list_(pa.float32(), 4))
    return pa.RecordBatch.from_pydict(found | {"boxes": pa.array(columns["boxes"], boxes)})


def write(folder: Path, rows: int, *, batch: int, shard_bytes: int) -> TableRecord:
    """Write the expected rows in batches, as slices of one large batch."""
    folder.mkdir(parents=True)
    whole = whole_batch(rows)
    with TableWriter(folder, manifest(rows), "train", shard_bytes=shard_bytes) as writer:
        for start in range(0, rows, batch):
            piece = whole.slice(start, batch)
            writer.write(conform(piece, FEATURES, where="ds", first_row=start))
        return writer.close({"key": "value"})


def plain(values: object) -> list[Any]:
    """Return an array or a list as plain Python values."""
    if isinstance(values, np.ndarray):
        found: list[Any] = values.tolist()
        return found
    assert isinstance(values, list)
    return [value if isinstance(value, str | bytes) else plain(value) for value in values]


@pytest.fixture(scope="module", params=[1, 700, 1 << 30], ids=["tiny", "small", "one"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Return 53 rows in shards of several sizes."""
    folder = tmp_path_factory.mktemp("tables") / "table"
    write(folder, 53, batch=10, shard_bytes=request.param)
    return Table(folder)


def test_every_row_comes_back(table: Table) -> None:
    """All columns, in order, with the dtypes and shapes of their features."""
    assert table.rows == 53
    assert {name: plain(table.span(name, 0, 53)) for name in FEATURES} == expected(53)
    assert all(plain(table.gather(name, np.arange(53))) == expected(53)[name] for name in FEATURES)
    found = [table.span(name, 0, 53) for name in ("image", "label", "vector")]
    assert [(part.dtype, part.shape) for part in found if isinstance(part, np.ndarray)] == [
        (np.dtype(np.uint8), (53, 2, 3, 1)),
        (np.dtype(np.int64), (53,)),
        (np.dtype(np.float64), (53, 2)),
    ]


@given(rows=st.lists(st.integers(0, 52), max_size=80), name=st.sampled_from(list(FEATURES)))
def test_gather_equals_a_list_comprehension(table: Table, rows: list[int], name: str) -> None:
    """In any order, with repeats."""
    values = expected(53)[name]
    assert plain(table.gather(name, np.array(rows, np.int64))) == [values[row] for row in rows]


@given(ends=st.tuples(st.integers(0, 53), st.integers(0, 53)), name=st.sampled_from(list(FEATURES)))
def test_span_equals_a_slice(table: Table, ends: tuple[int, int], name: str) -> None:
    """Across shards, and empty."""
    start, stop = sorted(ends)
    assert plain(table.span(name, start, stop)) == expected(53)[name][start:stop]


@pytest.mark.parametrize("name", ["image", "label", "vector"])
def test_spans_are_views_of_the_file(tmp_path: Path, name: str) -> None:
    """Two spans of a shard share read-only memory."""
    write(tmp_path / "t", 20, batch=20, shard_bytes=1 << 30)
    table = Table(tmp_path / "t")
    one, two = table.span(name, 3, 10), table.span(name, 5, 12)
    assert isinstance(one, np.ndarray)
    assert isinstance(two, np.ndarray)
    assert np.shares_memory(one[2:], two[:5])
    with pytest.raises(ValueError, match="read-only"):
        one[0] = 0
    gathered = table.gather(name, np.array([3]))
    assert isinstance(gathered, np.ndarray)
    assert not np.shares_memory(gathered, one)
    gathered[:] = 0
    assert plain(table.span(name, 0, 20)) == expected(20)[name]


def test_table_folder_contains_shards_and_a_record(tmp_path: Path) -> None:
    """Shards of one uncompressed record batch, with rows, size and checksum."""
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


@pytest.mark.parametrize("largest", FEATURES)
@pytest.mark.parametrize("batch", [1, 7, 53])
def test_arrow_reads_a_shard(tmp_path: Path, largest: str, batch: int) -> None:
    """Whichever column is its largest, and every value is in its place."""
    features = {name: FEATURES[name] for name in ["label", largest, "words"]}
    rows = whole_batch(53).select([*features])
    with TableWriter(tmp_path, manifest(53, features), "train") as writer:
        for first in range(0, 53, batch):
            some = rows.slice(first, batch)
            writer.write(conform(some, features, where="ds", first_row=first))
        writer.close({})
    with pa.memory_map(str(tmp_path / "train-00000-of-00001.arrow")) as file:
        table = pa.ipc.open_stream(file).read_all()
        table.validate(full=True)
        assert table.to_pydict() == rows.to_pydict()
        assert file.read() == b""


def test_column_of_empty_texts(tmp_path: Path) -> None:
    """It has no bytes, but rows."""
    features: dict[str, Feature] = {"text": TextFeature()}
    batch = pa.RecordBatch.from_pydict({"text": pa.array([""] * 9)})
    with TableWriter(tmp_path, manifest(9, features), "train") as writer:
        writer.write(conform(batch, features, where="ds", first_row=0))
        writer.close({})
    assert Table(tmp_path).span("text", 0, 9) == [""] * 9


def test_writer_removes_waiting_rows_on_exit(tmp_path: Path) -> None:
    """Only finished shards stay."""

    features: dict[str, Feature] = {"n": NumberFeature(dtype="int8")}
    batch = pa.RecordBatch.from_pydict({"n": pa.array([1], pa.int8())})
    with TableWriter(tmp_path, manifest(1, features), "train") as writer:
        writer.write(conform(batch, features, where="ds", first_row=0))
        assert list(tmp_path.iterdir()) != []
    assert list(tmp_path.iterdir()) == []


def _gone(path: Path) -> None:
    path.unlink()


def _short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html>" * 50)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other(path: Path) -> None:
    batch = pa.RecordBatch.from_pydict({"image": pa.array([1]), "text": pa.array(["a"])})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _no_batch(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, pa.schema([])):
        pass


@pytest.mark.parametrize("name", ["text", "photo", "words", "kinds", "boxes"])
@pytest.mark.parametrize("offset", [-1, 10**6, 2**31 - 1])
def test_damaged_offset_is_rejected(tmp_path: Path, name: str, offset: int) -> None:
    """The error names the file."""
    record = write(tmp_path / "t", 5, batch=5, shard_bytes=1 << 30)
    path = tmp_path / "t" / record.shards[0].file
    data = bytearray(path.read_bytes())
    whole = pa.py_buffer(bytes(data))
    array = pa.ipc.open_stream(whole).read_next_batch().column(name)
    place = array.buffers()[1].address - whole.address
    data[place + 8 : place + 12] = offset.to_bytes(4, "little", signed=True)
    path.write_bytes(data)
    table = Table(tmp_path / "t")
    with pytest.raises(StoreError, match=path.name) as caught:
        table.span(name, 0, 5)
    assert "dshub prepare" in caught.value.hint
    with pytest.raises(StoreError, match=path.name):
        table.gather(name, np.array([2, 1]))
    with pytest.raises(StoreError, match=path.name):
        table.arrow(name)


def test_spans_of_lists_are_views_of_the_file(tmp_path: Path) -> None:
    """Read-only; gathered values are copies."""
    write(tmp_path / "t", 20, batch=20, shard_bytes=1 << 30)
    table = Table(tmp_path / "t")
    one, two = table.span("boxes", 5, 6)[0], table.span("boxes", 4, 9)[1]
    assert np.shares_memory(one, two)
    assert not one.flags.writeable
    new = table.gather("boxes", np.array([5, 5]))
    assert new[0].shape == (2, 4)
    new[0][:] = 9
    assert plain(new[1]) == plain(one) == expected(20)["boxes"][5]


def test_shard_ends_before_32_bit_offsets_overflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For files, text and values of lists."""
    monkeypatch.setattr("dshub.tables.writer.OFFSET_LIMIT", 2000)
    record = write(tmp_path / "t", 53, batch=3, shard_bytes=1 << 30)
    assert len(record.shards) > 1
    table = Table(tmp_path / "t")
    assert {name: plain(table.span(name, 0, 53)) for name in FEATURES} == expected(53)


@pytest.mark.parametrize("damage", [_gone, _short, _page, _empty, _other, _no_batch])
@pytest.mark.parametrize("file", ["table.json", "train-00000-of-00001.arrow"])
def test_damaged_table_is_rejected(tmp_path: Path, file: str, damage: Any) -> None:
    """The error names the file, and the hint says how to repair the table."""
    write(tmp_path / "t", 5, batch=5, shard_bytes=1 << 30)
    damage(tmp_path / "t" / file)
    with pytest.raises(StoreError) as caught:
        Table(tmp_path / "t").span("text", 0, 5)
    assert file in str(caught.value)
    assert "dshub" in caught.value.hint
    assert caught.value.exit_code == 8


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_changed_byte_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, place: float, flip: int
) -> None:
    """Rows have the right shapes, or it is a StoreError."""
    folder = tmp_path_factory.mktemp("flipped") / "t"
    record = write(folder, 5, batch=5, shard_bytes=1 << 30)
    path = folder / record.shards[0].file
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= flip
    path.write_bytes(data)
    table = Table(folder)
    for name in FEATURES:
        told, found = path.name, []
        try:
            found = [table.span(name, 0, 5), table.gather(name, np.arange(5))]
        except StoreError as error:
            told = str(error)
        assert path.name in told
        wanted = expected(5)[name]
        for values in found:
            assert len(values) == 5
            assert name not in SINGLE or np.shape(values) == np.shape(wanted)
            assert name in SINGLE or {type(value) for value in values} <= {str, bytes, LISTS[name]}


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
    """300 MB of rows need far less private memory."""
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


def test_hugging_face_opens_a_shard(tmp_path: Path) -> None:
    """With class names, pixels and words."""
    pytest.importorskip("datasets.table")  # `datasets` alone can be a folder of tests
    datasets: Any = importlib.import_module("datasets")
    record = write(tmp_path / "t", 20, batch=20, shard_bytes=1 << 30)
    found = datasets.Dataset.from_file(str(tmp_path / "t" / record.shards[0].file))
    assert found.features["label"].names == ["a", "b", "c"]
    assert {name: list(found[name]) for name in FEATURES} == expected(20)
