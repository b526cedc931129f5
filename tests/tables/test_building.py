"""From files to a table: what is checked, what is kept, and when it is done again."""

import gzip
import hashlib
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

from dshub.cache.store import Store
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.catalog.manifest import Citation, License, Limits, Manifest, Resource, Split
from dshub.download.fetcher import Fetcher
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
from dshub.tables.recipe import REVISIONS, find, recipe
from dshub.tables.table import Table
from tests.manifests import LETTERS, make_manifest
from tests.preparing import prepare

ROWS = {"train": 9, "test": 4}


def pictures(split: str) -> np.ndarray:
    """Made-up pictures: uint8 (rows, 4, 3)."""
    rows = ROWS[split]
    return (np.arange(rows * 12) + len(split)).astype(np.uint8).reshape(rows, 4, 3)


def raw(split: str) -> dict[str, bytes]:
    """The files of a split as upstream would publish them."""
    rows = ROWS[split]
    image = struct.pack(">4I", 0x0803, rows, 4, 3) + pictures(split).tobytes()
    label = struct.pack(">2I", 0x0801, rows) + bytes(i % 3 for i in range(rows))
    return {"image": gzip.compress(image), "label": label}


class Upstream:
    """A folder that serves files by checksum, and the manifest of them."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.store = folder, Store(cache)
        self.fetcher = Fetcher(self.store, mirrors=[str(folder)])

    def publish(self, data: bytes, name: str) -> Resource:
        """Put a file where the fetcher finds it."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.folder / "blobs-v1" / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return Resource(filename=name, sha256=sha256, size=len(data))

    def manifest(self, **changed: bytes) -> Manifest:
        """Two splits of pictures and labels; `train_label=…` replaces a file."""
        resources = {
            f"{split}-{part}": self.publish(changed.get(f"{split}_{part}", data), f"{part}.file")
            for split in ROWS
            for part, data in raw(split).items()
        }
        splits = {
            split: Split(
                rows=rows,
                reader={"format": "idx"},
                files={"image": f"{split}-image", "label": f"{split}-label"},
            )
            for split, rows in ROWS.items()
        }
        return make_manifest(
            resources,
            name="family/ds",
            features={"image": ImageFeature(shape=(4, 3, 1)), "label": LETTERS},
            splits=splits,
        )

    def tables(self) -> list[Path]:
        """Everything under a final name."""
        return [path for path in self.store.root.glob("tables-v1/**/*") if path.is_file()]


@pytest.fixture
def upstream(tmp_path: Path, cache: Path) -> Upstream:
    """Files to fetch, and an empty cache."""
    return Upstream(tmp_path / "mirror", cache)


def with_split(manifest: Manifest, **changes: Any) -> Manifest:
    """The manifest with another `train`."""
    train = msgspec.structs.replace(manifest.splits["train"], **changes)
    return msgspec.structs.replace(manifest, splits=manifest.splits | {"train": train})


def test_unprepared_then_prepared_then_found(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are upstream's; the second time nothing is read, and no file is needed."""
    manifest = upstream.manifest()
    assert find(manifest, "train", upstream.store) is None
    folder = prepare(manifest, "train", upstream.fetcher)
    table = Table(folder)
    np.testing.assert_array_equal(table.span("image", 0, 9), pictures("train")[..., None])
    np.testing.assert_array_equal(table.span("label", 0, 9), np.arange(9) % 3)

    for path in (*upstream.folder.rglob("*"), *upstream.store.root.glob("blobs-v1/*/*")):
        if path.is_file():
            path.unlink()
    assert find(manifest, "train", upstream.store) == folder
    assert prepare(manifest, "train", upstream.fetcher) == folder
    with pytest.raises(FetchError):
        prepare(manifest, "test", upstream.fetcher)


def test_only_the_files_of_a_split_are_fetched(upstream: Upstream) -> None:
    """Preparing one split neither needs nor brings the other's files."""
    manifest = upstream.manifest()
    prepare(manifest, "test", upstream.fetcher)
    there = {name for name, item in manifest.resources.items() if upstream.store.blob(item.digest)}
    assert there == {"test-image", "test-label"}
    assert find(manifest, "train", upstream.store) is None
    assert prepare(manifest, "train", upstream.fetcher) != find(manifest, "test", upstream.store)


def test_a_table_in_a_read_only_layer_is_found(upstream: Upstream, tmp_path: Path) -> None:
    """What another cache has prepared is not prepared again."""
    manifest = upstream.manifest()
    folder = prepare(manifest, "train", upstream.fetcher)
    mine = Store(tmp_path / "mine", [upstream.store.root])
    assert prepare(manifest, "train", Fetcher(mine, offline=True)) == folder
    assert not (tmp_path / "mine").exists()


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
    """Both parts of the training rows in one `.tar.gz`, the label first and beside other files."""
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


def test_parts_in_one_archive(upstream: Upstream) -> None:
    """Rows whose parts are members of one compressed tar, read in turns, are those of the files."""
    table = Table(prepare(tarred(upstream), "train", upstream.fetcher))
    np.testing.assert_array_equal(table.span("image", 0, 9), pictures("train")[..., None])
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
        "label.file: it is no IDX file",
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
def test_nothing_is_kept_of_what_does_not_fit(upstream: Upstream, kind: str) -> None:
    """The error says what is wrong, and no table and no leftover is in the cache."""
    make, error, code, told = BAD[kind]
    manifest = make(upstream)
    with pytest.raises(error) as caught:
        prepare(manifest, "train", upstream.fetcher)
    assert caught.value.exit_code == code
    assert told in str(caught.value)
    assert upstream.tables() == []
    left = [path for path in upstream.store.root.glob("partial-v1/*") if path.suffix != ".lock"]
    assert left == []


def test_the_other_split_is_not_concerned(upstream: Upstream) -> None:
    """A fault in one split leaves the other usable."""
    manifest = with_split(upstream.manifest(), rows=10)
    with pytest.raises(SchemaError):
        prepare(manifest, "train", upstream.fetcher)
    assert Table(prepare(manifest, "test", upstream.fetcher)).rows == 4


CHANGES: dict[str, tuple[bool, Callable[[Manifest], Manifest]]] = {
    "title": (True, lambda m: msgspec.structs.replace(m, title="Other", summary="words")),
    "version": (True, lambda m: msgspec.structs.replace(m, version="1.0.1")),
    "licence": (True, lambda m: msgspec.structs.replace(m, license=License(spdx="MIT"))),
    "citations": (
        True,
        lambda m: msgspec.structs.replace(
            m, citations=(Citation(type="misc", key="k", title="t", author=("A",)),)
        ),
    ),
    "addresses": (True, lambda m: _resource(m, urls=("https://example.invalid/file",))),
    "size": (True, lambda m: _resource(m, size=None)),
    "checksum": (False, lambda m: _resource(m, sha256="0" * 64)),
    "shape": (
        False,
        lambda m: msgspec.structs.replace(
            m, features=m.features | {"image": ImageFeature(shape=(3, 4, 1))}
        ),
    ),
    "class names": (
        False,
        lambda m: msgspec.structs.replace(
            m, features=m.features | {"label": LabelFeature(names=("a", "b", "d"))}
        ),
    ),
    "reader option": (
        False,
        lambda m: with_split(m, reader={"format": "idx", "transpose": ["image"]}),
    ),
    "member": (
        False,
        lambda m: with_split(m, files={"image": "train-image:m", "label": "train-label"}),
    ),
    "labels": (False, lambda m: with_split(m, without=("label",))),
}


def _resource(manifest: Manifest, **changes: Any) -> Manifest:
    changed = msgspec.structs.replace(manifest.resources["train-image"], **changes)
    resources = manifest.resources | {"train-image": changed}
    return msgspec.structs.replace(manifest, resources=resources)


@pytest.mark.parametrize("change", CHANGES)
def test_what_decides_a_table(upstream: Upstream, change: str) -> None:
    """Words and addresses keep the table; what could change a row does not."""
    manifest = upstream.manifest()
    same, make = CHANGES[change]
    changed = make(manifest)
    assert (recipe(changed, "train").key == recipe(manifest, "train").key) == same
    assert (recipe(changed, "test").key == recipe(manifest, "test").key) == (
        same or change in {"checksum", "reader option", "member", "labels"}
    )
    prepare(manifest, "train", upstream.fetcher)
    assert (find(changed, "train", upstream.store) is not None) == same


def test_a_newer_reader_prepares_anew(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a reader's revision is raised, tables of the old one are not found."""
    manifest = upstream.manifest()
    old = prepare(manifest, "train", upstream.fetcher)
    monkeypatch.setitem(REVISIONS, "idx", 2)
    assert find(manifest, "train", upstream.store) is None
    assert prepare(manifest, "train", upstream.fetcher) != old


def test_hidden_labels_are_no_column(upstream: Upstream) -> None:
    """A split whose labels upstream keeps to itself has none, rather than a column of -1."""
    manifest = with_split(upstream.manifest(), without=("label",), files={"image": "train-image"})
    table = Table(prepare(manifest, "train", upstream.fetcher))
    assert list(table.features) == ["image"]
    np.testing.assert_array_equal(table.span("image", 0, 9), pictures("train")[..., None])


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_an_end_in_the_middle(upstream: Upstream, how: str) -> None:
    """A process that ends while it prepares leaves no final name; the next one succeeds."""
    manifest = upstream.manifest()
    end = "os.kill(os.getpid(), signal.SIGKILL)" if how == "killed" else "raise KeyboardInterrupt"
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
    {end}

TableWriter.close = close
cache, mirror = sys.argv[1:]
prepare(from_json(sys.stdin.buffer.read()), "train", Fetcher(Store(Path(cache)), mirrors=[mirror]))
"""
    command = [sys.executable, "-c", script, str(upstream.store.root), str(upstream.folder)]
    command.append(str(Path(__file__).parents[2]))
    done = subprocess.run(
        command, input=msgspec.json.encode(manifest), capture_output=True, check=False
    )
    assert done.returncode == -(signal.SIGKILL if how == "killed" else signal.SIGINT), done.stderr
    assert upstream.tables() == []
    assert find(manifest, "train", upstream.store) is None
    table = Table(prepare(manifest, "train", upstream.fetcher))
    np.testing.assert_array_equal(table.span("image", 0, 9), pictures("train")[..., None])


def test_a_reader_may_be_slow_to_fail(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that came before the damage are dropped with their files, none left open."""

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
