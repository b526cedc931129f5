"""Test that small files that expand to gigabytes are rejected."""

import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dshub import archives, formats
from dshub.catalog.manifest import Limits
from dshub.errors import ReadError, UnsafeArchiveError
from dshub.testing.readers import MemoryFile

SCRIPT = """
import gzip, json, sys, time
from contextlib import contextmanager
from pathlib import Path
import pyarrow.parquet
from dshub import archives, formats
from dshub.errors import DshubError
answers = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    options = json.loads(sys.argv[2])[path.name]
    begin = time.process_time()
    try:
        with archives.open_archive(path, title=path.name) as archive:
            for batch in formats.create(options).read({"x": archive.files()}):
                pass
        outcome = ["", "read", ""]
    except DshubError as error:
        outcome = [type(error).__name__, str(error), error.hint]
    status = Path("/proc/self/status").read_text()  # ru_maxrss starts at the parent's peak
    peak = int(status.partition("VmHWM:")[2].split()[0]) >> 10
    answers[path.name] = [*outcome, time.process_time() - begin, peak]
print(json.dumps(answers))
"""


def compress_repeated(*pieces: tuple[bytes, int]) -> bytes:
    """Compress each piece, repeated the specified number of times."""
    sink = io.BytesIO()
    with archives.stream_for("a.gz").write(sink) as packed:  # type: ignore[union-attr]
        for piece, count in pieces:
            block = piece * (1 + (1 << 20) // len(piece))
            for _ in range(count * len(piece) // len(block) + 1):
                packed.write(block)
    return sink.getvalue()


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", store_schema=False, **options)
    return sink.getvalue()


def repeated_text(value: str, count: int) -> pa.DictionaryArray:
    """Return a column that repeats one string in every row."""
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([value]))


def lists(values: pa.Array, count: int) -> pa.Array:
    offsets = np.linspace(0, len(values), count + 1).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def arrow(batch: pa.RecordBatch, times: int = 1, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(times):
            writer.write_batch(batch)
    return sink.getvalue()


def shared_values(value: bytes, count: int) -> pa.Array:
    """Return rows that share the bytes of one value."""
    view = struct.pack("<i4sii", len(value), value[:4], 0, 0)
    buffers = [None, pa.py_buffer(view * count), pa.py_buffer(value)]
    return pa.Array.from_buffers(pa.binary_view(), count, buffers)


def many_nulls(count: int) -> bytes:
    """Return a column of nulls that declares a false row count."""
    true_count = 1_234_567
    data = arrow(pa.record_batch({"a": pa.nulls(true_count)}))
    return data.replace(struct.pack("<q", true_count), struct.pack("<q", count))


def long_lists() -> bytes:
    """Return rows of 500,000 zeros each."""
    table = pa.table({"a": lists(pa.array(np.zeros(500_000, np.int64)), 1)})
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        for _ in range(70):
            writer.write_table(table)
    return sink.getvalue()


def npy(*shape: int) -> bytes:
    """Return an npy header without an array."""
    sink = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": True, "shape": shape}
    np.lib.format.write_array_header_1_0(sink, header)
    return sink.getvalue()


def npz(data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", data)
    return sink.getvalue()


Bomb = tuple[Callable[[], bytes], dict[str, Any]]

BOMBS: dict[str, Bomb] = {
    "a-text.parquet": (
        lambda: parquet(pa.table({"a": repeated_text("x" * 1_000_000, 2000)})),
        {"format": "parquet"},
    ),
    "a-list-of-texts.parquet": (
        lambda: parquet(pa.table({"a": lists(repeated_text("x" * 1_000_000, 2000), 1)})),
        {"format": "parquet"},
    ),
    "long-lists.parquet": (long_lists, {"format": "parquet"}),
    "compressed.arrow": (
        lambda: arrow(
            pa.record_batch({"a": np.zeros(2_000_000, np.int64)}), 18, compression="zstd"
        ),
        {"format": "arrow"},
    ),
    "dictionary.arrow": (
        lambda: arrow(pa.record_batch({"a": repeated_text("x" * 10_000, 30_000)})),
        {"format": "arrow"},
    ),
    "nested-dictionary.arrow": (
        lambda: arrow(pa.record_batch({"a": lists(repeated_text("x" * 10_000, 30_000), 10)})),
        {"format": "arrow"},
    ),
    "views.arrow": (
        lambda: arrow(pa.record_batch({"a": shared_values(b"x" * 100_000, 3000)})),
        {"format": "arrow"},
    ),
    "nulls.arrow": (lambda: many_nulls(1 << 40), {"format": "arrow"}),
    "sentence.conll.gz": (
        lambda: compress_repeated((b"ab cd\n", 10_000_000)),
        {"format": "conll", "columns": ["token", "tag"]},
    ),
    "line.libsvm.gz": (
        lambda: compress_repeated((b"1", 1), (b" 1:1.25", 4_000_000)),
        {"format": "libsvm", "shape": [1000], "sparse": True},
    ),
    "document.json.gz": (
        lambda: compress_repeated((b"[", 1), (b"[],", 15_000_000)),
        {"format": "json", "lines": False, "columns": {"a": "[].a"}, "rows": "[]"},
    ),
    "line.jsonl.gz": (
        lambda: compress_repeated((b"[],", 15_000_000)),
        {"format": "json", "columns": {"a": "a"}},
    ),
    "line.tsv.gz": (
        lambda: compress_repeated((b"ab\t", 10_000_000)),
        {"format": "delimited", "delimiter": "\t", "quoting": False, "columns": ["a"]},
    ),
    "row.csv.gz": (
        lambda: compress_repeated((b"ab,", 10_000_000)),
        {"format": "delimited", "columns": ["a", "b"]},
    ),
    "promise.npz": (
        lambda: npz(npy(1 << 26, 4)),
        {"format": "npz", "columns": {"a": "x"}},
    ),
    "promise.npy": (lambda: npy(1 << 26, 4), {"format": "npz"}),
    "promise.idx": (
        lambda: struct.pack(">HBBII", 0, 0x0E, 2, 1 << 20, 1 << 20),
        {"format": "idx"},
    ),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Read each file in a subprocess and return its error, CPU seconds and peak memory in MiB."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (make, _) in BOMBS.items():
        (folder / name).write_bytes(make())
    options = json.dumps({name: reader_options for name, (_, reader_options) in BOMBS.items()})
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), options],
        check=True,
        capture_output=True,
        timeout=100,
    )
    outcomes: dict[str, list[Any]] = json.loads(run.stdout)
    return outcomes


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_time_and_memory(name: str, outcomes: dict[str, list[Any]]) -> None:
    kind, message, hint, seconds, megabytes = outcomes[name]
    assert kind in {"ReadError", "UnsafeArchiveError"}, message
    assert message.startswith(name)
    assert kind == "ReadError" or "`limits." in hint
    assert seconds < 2
    assert megabytes < 300


@contextmanager
def opened(data: bytes, folder: Path, limits: Limits) -> Iterator[list[archives.ArchiveFile]]:
    path = folder / "a"
    path.write_bytes(data)
    with archives.open_files(path, title="a", limits=limits) as files:
        yield files


def test_limits_of_the_resource_are_enforced(tmp_path: Path) -> None:
    """Raising the limits makes the file readable."""
    data = parquet(pa.table({"a": repeated_text("x" * 1_000_000, 300)}))
    reader = formats.create({"format": "parquet"})
    with (
        opened(data, tmp_path, Limits()) as files,
        pytest.raises(UnsafeArchiveError, match=r"a: it unpacks to more than 268\.4 MB"),
    ):
        list(reader.read({"x": files}))
    with opened(data, tmp_path, Limits(ratio=10_000_000)) as files:
        batches = [(batch.num_rows, batch.nbytes) for batch in reader.read({"x": files})]
    assert sum(rows for rows, _ in batches) == 300
    assert max(size for _, size in batches) < 16 << 20
    with (
        opened(data, tmp_path, Limits(unpacked=1_000_000)) as files,
        pytest.raises(UnsafeArchiveError, match="more than 1"),
    ):
        list(reader.read({"x": files}))


def rows(data: bytes, **options: Any) -> list[Any]:
    batches = formats.create(options).read({"x": [MemoryFile("some-file", data)]})
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("count", [1, 3000])
def test_dictionary_columns_are_resolved(count: int) -> None:
    texts = [["a" * 3000, "", "b"][i % 3] for i in range(count)]
    table = pa.table(
        {
            "text": pa.array(texts).dictionary_encode(),
            "list": pa.array([[text, text] for text in texts], pa.list_(pa.string())),
            "rare": pa.array([None] * (count - 1) + ["end"]),
        }
    )
    plain = [
        {"text": text, "list": [text, text], "rare": rare}
        for text, rare in zip(texts, table["rare"].to_pylist(), strict=True)
    ]
    for data in (parquet(table), parquet(table, row_group_size=700)):
        assert rows(data, format="parquet") == plain
    batch = table.combine_chunks().to_batches()[0]
    assert rows(arrow(batch, compression="zstd"), format="arrow") == plain


def test_view_columns_are_resolved() -> None:
    batch = pa.record_batch({"a": shared_values(b"x" * 20, 3)})
    assert rows(arrow(batch), format="arrow") == [{"a": b"x" * 20}] * 3


def test_excess_fields_are_not_split() -> None:
    """A line of a million delimiters does not create a million strings."""
    options = {"format": "delimited", "delimiter": "\t", "quoting": False, "columns": ["a"]}
    with pytest.raises(ReadError, match="line 1 has more than 1 fields"):
        rows(b"a\t" * 5000 + b"\n", **options)
