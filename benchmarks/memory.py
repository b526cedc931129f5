"""Measure the time and memory cost of an epoch: `python benchmarks/memory.py [--small]`.

Each figure comes from a new process, after imports. Private memory is RssAnon of /proc, which
excludes mapped files, because the system can reclaim their pages. The tables of 1 and 8 GiB are
sparse files that read as zeros. The last lines check the documented guarantees; the script exits
with 1 if one fails.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from dshub import Hub, Settings
from dshub.progress import Silent
from dshub.tables.record import Shard, TableRecord
from dshub.tables.types import arrow_schema

GIB = 1 << 30
NAME = "cifar-10"

FRAME = """
import json, os, pickle, sys, time
from pathlib import Path
import numpy as np
import dshub.loading.loader, dshub.loading.transforms
from dshub import Dataset
from dshub.loading.order import Blocks, Shuffled
from dshub.loading.transforms import Normalize
from dshub.loading.transforms.fused import kernels
kernels()  # imports numba, if installed, before the clock starts

def anon(who="self"):
    lines = open(f"/proc/{who}/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1000

folder, rows = Path(sys.argv[1]), int(sys.argv[2])
normalize = Normalize(mean=(0.5,) * 3, std=(0.25,) * 3)
"""

OPEN = """
before, began = anon(), time.perf_counter()
ds = Dataset.from_tables([folder])
batch = next(iter(ds.batches(512, shuffle=True, transform=normalize, threads=0)))
print(json.dumps([1000 * (time.perf_counter() - began), anon() - before, len(pickle.dumps(ds))]))
"""

BEGIN = """
results = []
for order in (Shuffled(10**9, 0), Blocks(10**9, 0)):
    order.rows(np.arange(512), 0)
    before, times = anon(), []
    for epoch in range(1, 21):
        began = time.perf_counter()
        order.rows(np.arange(512), epoch)
        times.append(time.perf_counter() - began)
    results.append([1000 * sorted(times)[10], anon() - before])
print(json.dumps(results))
"""

EPOCHS = """
values = np.random.default_rng(0).integers(0, 256, (rows, 32, 32, 3), np.uint8)
ds = Dataset.from_arrays({"image": values}, features=Dataset.from_tables([folder]).columns(
    ["image"]).features)
loader = ds.batches(512, shuffle=True, transform=normalize, layout="chw")
if sys.argv[3] == "torch":
    loader = loader.torch()
results = []
for epoch in range(20):
    for batch in loader:
        pass
    results.append(anon())
print(json.dumps(results))
"""

WORKERS = """
from torch.utils.data import DataLoader
ds = Dataset.from_tables([folder])
loader = ds.batches(512, shuffle=True, transform=normalize, layout="chw").torch()
results = []
walk = DataLoader(loader, batch_size=None, num_workers=8, persistent_workers=True)
for epoch in range(20):
    for batch in walk:
        pass
    results.append(anon() + sum(anon(worker.pid) for worker in walk._iterator._workers))
print(json.dumps(results))
"""


class SparseFile:
    """A writable file that skips large pieces, so that they become holes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.closed = False

    def write(self, data: Any) -> int:
        """Write a small piece, or skip the bytes of a large one."""
        size = memoryview(data).nbytes
        if size >= 1 << 20:
            self._file.seek(size, os.SEEK_CUR)
        else:
            self._file.write(data)
        return size

    def flush(self) -> None:
        """Do nothing, because nothing is buffered."""

    def close(self) -> None:
        """Set the final length and close the file."""
        self._file.truncate(self._file.tell())
        self._file.close()
        self.closed = True


def sparse(source: Path, folder: Path, shards: int, rows: int) -> Path:
    """Write a table of zeros like `source`, with `rows` rows in each shard."""
    folder.mkdir()
    record = TableRecord.read(source / "table.json")
    schema = arrow_schema(record.manifest.split_features(record.split))
    records = []
    for number in range(shards):
        path = folder / f"{record.split}-{number:05d}-of-{shards:05d}.arrow"
        sink = SparseFile(path)
        with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
            writer.write_batch(pa.record_batch([zeros(f.type, rows) for f in schema], schema))
        sink.close()
        size = path.stat().st_size
        records.append(Shard(file=path.name, rows=rows, size=size, sha256="0" * 64))
    sparse_record = msgspec.structs.replace(record, shards=tuple(records), rows=rows * shards)
    sparse_record.write(folder)
    return folder


def zeros(kind: pa.DataType, rows: int) -> pa.Array:
    """Return an array of zeros in untouched memory."""
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(
            zeros(kind.value_type, rows * kind.list_size), type=kind
        )
    data = pa.py_buffer(memoryview(bytearray(rows * kind.bit_width // 8)))
    return pa.Array.from_buffers(kind, rows, [None, data])


def run(body: str, folder: Path, *arguments: object) -> Any:
    """Run a program in a new process and return its result."""
    command = [sys.executable, "-c", FRAME + body, str(folder), *map(str, arguments)]
    return json.loads(subprocess.check_output(command).splitlines()[-1])


def growth(title: str, megabytes: list[float]) -> float:
    """Print private memory over epochs, and return its growth after the second epoch."""
    above = max(megabytes[2:]) - megabytes[1]
    shown = (
        f"{megabytes[0]:.1f} MB after 1, {megabytes[1]:.1f} after 2, {megabytes[-1]:.1f} after 20"
    )
    print(f"{title}: {shown} epochs; maximum growth after the second: {above:.1f}")
    return above


def measure(place: Path, *, small: bool) -> dict[str, bool]:
    """Print the measurements, and return which guarantees hold."""
    hub = Hub(settings=Settings.read(cache=place / "cache"), progress=Silent())
    hub.load(NAME, "train", synthetic=50)
    (source,) = {path.parent for path in (place / "cache" / "tables-v1").rglob("table.json")}
    holds = {}
    print(f"\n{'table':>10}{'ms to the first batch':>22}{'private MB':>12}{'bytes pickled':>15}")
    opened: dict[int, list[list[float]]] = {1: [], 8: []}
    tables = {
        shards: sparse(source, place / f"table-{shards}", shards, GIB // 3080) for shards in opened
    }
    for _ in range(3 if small else 9):
        for shards, folder in tables.items():
            opened[shards].append(run(OPEN, folder, 0))
    medians = {
        shards: [sorted(values)[len(values) // 2] for values in zip(*runs, strict=True)]
        for shards, runs in opened.items()
    }
    for shards, (took, memory, size) in medians.items():
        print(f"{shards:>6} GiB{took:22.1f}{memory:12.1f}{size:15.0f}")
    holds["8 GiB open as fast as 1 GiB"] = medians[8][0] < 2 * medians[1][0] + 20
    holds["both take about the same private memory"] = medians[8][1] < medians[1][1] + 10
    holds["a dataset pickles to less than 1 KB"] = max(m[2] for m in medians.values()) < 1000
    (took, more), (blocks, others) = run(BEGIN, tables[1], 0)
    print(f"\nan epoch of 10**9 rows begins in {took:.2f} ms (blocks: {blocks:.2f} ms)")
    holds["an epoch of 10**9 rows begins within 5 ms"] = took < 5 and max(more, others) < 20
    rows, frameworks = (2000 if small else 20_000), ["numpy", *(["torch"] if has_torch() else [])]
    for framework in frameworks:
        above = growth(f"\n20 epochs, {framework}", run(EPOCHS, tables[1], rows, framework))
        holds[f"memory is stable over 20 epochs, {framework}"] = above < 20
    if has_torch():
        few = sparse(source, place / "few", 1, rows)
        above = growth("\n20 epochs, 8 workers of a DataLoader", run(WORKERS, few, 0))
        holds["memory is stable with 8 workers"] = above < 20
    return holds


def has_torch() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None


def main() -> None:
    """Run the measurements and check the guarantees."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="use fewer rows and rounds")
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    if not Path("/proc/self/status").exists():
        sys.exit("this system has no /proc, which reports private memory")
    with tempfile.TemporaryDirectory() as name:
        holds = measure(Path(name), small=options.small)
    print()
    for words, ok in holds.items():
        print(f"{'holds' if ok else 'DOES NOT HOLD':>13}: {words}")
    sys.exit(0 if all(holds.values()) else 1)


if __name__ == "__main__":
    main()
