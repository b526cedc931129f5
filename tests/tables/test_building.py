import io
import os
import signal
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from dshub.catalog.manifest import Limits, Manifest
from dshub.errors import (
    DshubError,
    FetchError,
    ManifestError,
    ReadError,
    SchemaError,
    UnknownNameError,
    UnsafeArchiveError,
)
from dshub.formats import idx
from dshub.tables.recipe import find
from dshub.tables.table import Table
from tests.preparing import prepare
from tests.tables.upstream import Upstream, images, raw, with_split


def test_table_is_prepared_once(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prepared table does not need its raw files."""
    manifest = upstream.manifest()
    assert find(manifest, "train", upstream.store) is None
    folder = prepare(manifest, "train", upstream.fetcher)
    table = Table(folder)
    np.testing.assert_array_equal(table.span("image", 0, 9), images("train")[..., None])
    np.testing.assert_array_equal(table.span("label", 0, 9), np.arange(9) % 3)

    for path in (*upstream.folder.rglob("*"), *upstream.store.root.glob("blobs-v1/*/*")):
        if path.is_file():
            path.unlink()
    assert find(manifest, "train", upstream.store) == folder
    assert prepare(manifest, "train", upstream.fetcher) == folder
    with pytest.raises(FetchError):
        prepare(manifest, "test", upstream.fetcher)


def test_only_the_files_of_a_split_are_downloaded(upstream: Upstream) -> None:
    manifest = upstream.manifest()
    prepare(manifest, "test", upstream.fetcher)
    cached = {name for name, item in manifest.resources.items() if upstream.store.blob(item.digest)}
    assert cached == {"test-image", "test-label"}
    assert find(manifest, "train", upstream.store) is None
    assert prepare(manifest, "train", upstream.fetcher) != find(manifest, "test", upstream.store)


def _rows(rows: int) -> Callable[[Upstream], Manifest]:
    return lambda upstream: with_split(upstream.manifest(), rows=rows)


def _file(**changed: bytes) -> Callable[[Upstream], Manifest]:
    return lambda upstream: upstream.manifest(**changed)


def _zip(upstream: Upstream) -> Manifest:
    path = upstream.folder / "made.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in {**raw("train"), "../evil": b""}.items():
            file.writestr(name, data)
    manifest = upstream.manifest()
    resources = manifest.resources | {"zip": upstream.publish(path.read_bytes(), "made.zip")}
    manifest = msgspec.structs.replace(manifest, resources=resources)
    return with_split(manifest, files={"image": "zip:image", "label": "zip:label"})


def tarred(upstream: Upstream, **limits: int) -> Manifest:
    """Pack both parts of the training split into one `.tar.gz`, the labels first."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as file:
        for name, data in sorted({**raw("train"), "z": bytes(5000)}.items(), reverse=True):
            info = tarfile.TarInfo(f"./ds/{name}")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    manifest = upstream.manifest()
    resource = upstream.publish(sink.getvalue(), "made.tar.gz")
    resource = msgspec.structs.replace(resource, limits=Limits(**limits))
    manifest = msgspec.structs.replace(manifest, resources=manifest.resources | {"tar": resource})
    return with_split(manifest, files={"image": "tar:ds/image", "label": "tar:ds/label"})


def test_parts_can_share_an_archive(upstream: Upstream) -> None:
    """The reader needs both members at the same time."""
    table = Table(prepare(tarred(upstream), "train", upstream.fetcher))
    np.testing.assert_array_equal(table.span("image", 0, 9), images("train")[..., None])
    np.testing.assert_array_equal(table.span("label", 0, 9), np.arange(9) % 3)


BAD: dict[str, tuple[Callable[[Upstream], Manifest], type[DshubError], int, str]] = {
    "fewer rows": (_rows(10), SchemaError, 9, "ds, split train: got 9 rows, expected 10 rows"),
    "more rows": (_rows(8), SchemaError, 9, "got more than 8 rows, expected 8 rows"),
    "another class": (
        _file(train_label=struct.pack(">2I", 0x0801, 9) + b"\0\1\2\0\1\2\3\0\1"),
        SchemaError,
        9,
        "split train, column label, row 6: got 3, expected a class from 0 to 2",
    ),
    "a truncated file": (
        _file(train_image=raw("train")["image"][:-9]),
        ReadError,
        9,
        "image.file: it is damaged",
    ),
    "another format": (
        _file(train_label=b"<!DOCTYPE html><title>Quota exceeded</title>"),
        ReadError,
        9,
        "label.file: it is not an IDX file",
    ),
    "no rows": (
        _file(
            train_image=struct.pack(">4I", 0x0803, 0, 4, 3),
            train_label=struct.pack(">2I", 0x801, 0),
        ),
        SchemaError,
        9,
        "got 0 rows, expected 9 rows",
    ),
    "an unsafe archive": (_zip, UnsafeArchiveError, 5, "made.zip: member '../evil'"),
    "an archive beyond its limits": (
        lambda upstream: tarred(upstream, members=2),
        UnsafeArchiveError,
        5,
        "made.tar.gz: member './ds/image' exceeds the limit of 2 members",
    ),
    "an unknown option": (
        lambda upstream: with_split(upstream.manifest(), reader={"format": "idx", "skip": 1}),
        ManifestError,
        1,
        "splits.train.reader",
    ),
    "an unknown format": (
        lambda upstream: with_split(upstream.manifest(), reader={"format": "idy"}),
        UnknownNameError,
        3,
        "no format named 'idy'",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_failed_preparation_leaves_no_files(upstream: Upstream, kind: str) -> None:
    make, error, code, message = BAD[kind]
    manifest = make(upstream)
    with pytest.raises(error) as caught:
        prepare(manifest, "train", upstream.fetcher)
    assert caught.value.exit_code == code
    assert message in str(caught.value)
    assert upstream.tables() == []
    leftovers = [
        path for path in upstream.store.root.glob("partial-v1/*") if path.suffix != ".lock"
    ]
    assert leftovers == []


def test_fault_in_one_split_leaves_the_other_usable(upstream: Upstream) -> None:
    manifest = with_split(upstream.manifest(), rows=10)
    with pytest.raises(SchemaError):
        prepare(manifest, "train", upstream.fetcher)
    assert Table(prepare(manifest, "test", upstream.fetcher)).rows == 4


def test_hidden_labels_are_not_a_column(upstream: Upstream) -> None:
    manifest = with_split(upstream.manifest(), without=("label",), files={"image": "train-image"})
    table = Table(prepare(manifest, "train", upstream.fetcher))
    assert list(table.features) == ["image"]
    np.testing.assert_array_equal(table.span("image", 0, 9), images("train")[..., None])


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("end", ["killed", "interrupted"])
def test_killed_preparation_leaves_no_table(upstream: Upstream, end: str) -> None:
    manifest = upstream.manifest()
    statement = (
        "os.kill(os.getpid(), signal.SIGKILL)" if end == "killed" else "raise KeyboardInterrupt"
    )
    script = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv.pop())
from dshub.download.fetcher import Fetcher
from dshub.catalog.parsing import from_json
from tests.preparing import prepare
from dshub.cache.store import Store
from dshub.tables.writer import TableWriter

def close(self, *recipe):
    {statement}

TableWriter.close = close
cache, mirror = sys.argv[1:]
prepare(from_json(sys.stdin.buffer.read()), "train", Fetcher(Store(Path(cache)), mirrors=[mirror]))
"""
    command = [sys.executable, "-c", script, str(upstream.store.root), str(upstream.folder)]
    command.append(str(Path(__file__).parents[2]))
    done = subprocess.run(
        command, input=msgspec.json.encode(manifest), capture_output=True, check=False
    )
    assert done.returncode == -(signal.SIGKILL if end == "killed" else signal.SIGINT), done.stderr
    assert upstream.tables() == []
    assert find(manifest, "train", upstream.store) is None
    table = Table(prepare(manifest, "train", upstream.fetcher))
    np.testing.assert_array_equal(table.span("image", 0, 9), images("train")[..., None])


def test_late_failure_of_a_reader_drops_earlier_rows(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: idx.Reader, files: object) -> Any:
        pixels = pa.array(np.zeros(12, np.uint8))
        for length in (3, 4):
            pixels = pa.FixedSizeListArray.from_arrays(pixels, length)
        yield pa.RecordBatch.from_pydict({"image": pixels, "label": pa.array([0])})
        raise ReadError(file="f", reason="the rest is missing")

    monkeypatch.setattr(idx.Reader, "read", read)
    with pytest.raises(ReadError, match="the rest is missing"):
        prepare(upstream.manifest(), "train", upstream.fetcher)
    assert upstream.tables() == []
    assert [p for p in upstream.store.root.glob("partial-v1/*") if p.suffix != ".lock"] == []
