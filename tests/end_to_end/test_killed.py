"""Kill processes at random while they fetch and prepare, and check the cache after each kill."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.catalog.manifest import CHUNK, Manifest, Resource, Split
from dshub.testing.answers import Fault
from dshub.testing.server import faulty_server
from tests.manifests import make_manifest

RECORD = 3073
ROWS = {"small": 10, "middle": 700, "large": 6000, "packed": 900}

# The child forks instead of starting Python, so that a kill hits the work and not the startup.
KILLER = """
import hashlib, json, os, random, shutil, signal, sys, time
from pathlib import Path
import filelock, requests, dshub.download.transports.http
from dshub import Hub, Registry, Settings
from dshub.catalog.parsing import from_json
from dshub.progress import Silent
from dshub.cache.usage import usage
from dshub.tables.table import Table  # also imports Arrow and NumPy

manifest, cache, kills = from_json(sys.stdin.buffer.read()), Path(sys.argv[1]), int(sys.argv[2])
generator = random.Random()

def hub():
    registry = Registry(manifests=[manifest], built_in=False)
    return Hub(settings=Settings.read(cache=cache), registry=registry, progress=Silent())

def begin():
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            hub().fetch("killed")
            code = 0
        finally:
            os._exit(code)
    return pid

def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()

def check():
    # Every file under a final name is complete and correct.
    complete = 0
    for path in cache.glob("blobs-v1/*/*"):
        assert sha256(path) == path.name, path
        complete += 1
    for folder in cache.glob("tables-v1/killed/*"):
        for shard in Table(folder).record.shards:
            assert sha256(folder / shard.file) == shard.sha256, folder
        complete += 1
    return complete

def leftovers():
    return [item for item in usage(cache) if item.kind == "partial"]

began = time.monotonic()
assert os.waitpid(begin(), 0)[1] == 0
duration, expected = time.monotonic() - began, check()
shutil.rmtree(cache)
report = {"killed": 0, "complete": 0, "all": expected, "entries": 0, "bytes": 0, "partly": 0}
while report["killed"] < kills:
    pid = begin()
    time.sleep(generator.uniform(0, 0.7 * duration))
    os.kill(pid, signal.SIGKILL)
    report["killed"] += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    complete = check()
    report["partly"] += 0 < complete < expected
    partials = leftovers()
    report["entries"] = max(report["entries"], len(partials))
    report["bytes"] = max(report["bytes"], sum(item.size for item in partials))
    if complete == expected:
        shutil.rmtree(cache)
        report["complete"] += 1
assert os.waitpid(begin(), 0)[1] == 0
report["last"] = check()
hub().cache.gc()
report["left"] = [item.name for item in leftovers()]
print(json.dumps(report))
"""


def records(split: str) -> bytes:
    """Return random records of a split in the binary format of CIFAR-10."""
    table = np.random.default_rng(ROWS[split]).integers(0, 256, (ROWS[split], RECORD), np.uint8)
    table[:, 0] %= 10
    return table.tobytes()


def tarred(name: str, data: bytes) -> bytes:
    """Pack one member into a compressed tar."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as file:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        file.addfile(info, io.BytesIO(data))
    return gzip.compress(sink.getvalue(), 1)


def published(folder: Path, url: str) -> Manifest:
    """Write one file per split and return their manifest.

    One file is small, one has an unknown size, one has chunk checksums and one is an archive.
    """
    resources, splits = {}, {}
    for split, rows in ROWS.items():
        data = records(split)
        member = ":all.bin" if split == "packed" else ""
        data = tarred("all.bin", data) if member else data
        (folder / split).write_bytes(data)
        pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
        resources[split] = Resource(
            urls=(f"{url}/{split}",),
            sha256=hashlib.sha256(data).hexdigest(),
            size=None if split == "middle" else len(data),
            chunks=tuple(
                hashlib.sha256(piece).hexdigest() for piece in pieces[: 99 * (rows > 999)]
            ),
        )
        splits[split] = Split(
            rows=rows, reader={"format": "cifar"}, files={"image": f"{split}{member}"}
        )
    return make_manifest(
        resources,
        name="killed",
        supervised=("image", "label"),
        features={
            "image": ImageFeature(shape=(32, 32, 3)),
            "label": LabelFeature(names=tuple("0123456789")),
        },
        splits=splits,
    )


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and kills processes")
def test_cache_stays_consistent_after_random_kills(cache: Path, tmp_path: Path, kills: int) -> None:
    """Finished files stay correct, partial downloads stay few, and the next run resumes."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    with faulty_server(folder, {"/large": Fault("plain", rate=20_000_000)}) as server:
        manifest = published(folder, server.url)
        size = sum(path.stat().st_size for path in folder.iterdir())
        done = subprocess.run(
            [sys.executable, "-c", KILLER, str(cache), str(kills)],
            input=msgspec.json.encode(manifest),
            capture_output=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr.decode()
        report = json.loads(done.stdout)
        assert server.sent <= 1.6 * size * (report["complete"] + 2)
    assert report["killed"] == kills
    assert report["partly"] or kills < 10  # a few kills can all come before the first file
    assert report["all"] == report["last"] == 2 * len(ROWS)
    assert report["entries"] <= 3 * len(ROWS)
    assert report["bytes"] <= 3 * size
    assert report["left"] == []
