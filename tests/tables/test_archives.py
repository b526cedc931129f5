"""Prepare splits that share an archive."""

import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pytest

from dshub import Hub, Registry, Settings
from dshub.archives import ByteStream, gz
from dshub.cache.store import Store
from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.catalog.manifest import Split
from dshub.download.fetcher import Fetcher
from dshub.errors import DiskFullError, ReadError
from dshub.progress import Silent
from dshub.tables.table import Table
from tests.independent.packed import tarred
from tests.manifests import make_manifest, make_resource
from tests.preparing import prepare, prepare_splits

ROWS = {"train": 300, "test": 100}
RECORD = 3073


def records(split: str) -> np.ndarray:
    """Return random records in CIFAR-10's format: uint8 (rows, 3073)."""
    result = np.random.default_rng(len(split)).integers(0, 256, (ROWS[split], RECORD), np.uint8)
    result[:, 0] %= 10
    return result


def images(split: str) -> np.ndarray:
    """Return the images of a split: uint8 (rows, 32, 32, 3)."""
    return records(split)[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


FILES = {split: records(split).tobytes() for split in ROWS}
PACKED = gzip.compress(tarred(FILES))


class Upstream:
    """A mirror with one archive, an empty cache, and a manifest with two splits."""

    def __init__(self, folder: Path, data: bytes, name: str, inner: str = "") -> None:
        sha256 = hashlib.sha256(data).hexdigest()
        path = folder / "mirror" / "blobs-v1" / sha256[:2] / sha256
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        self.folder, self.store = folder, Store(folder / "cache")
        self.fetcher = Fetcher(self.store, mirrors=[str(folder / "mirror")])
        self.manifest = make_manifest(
            {"data": make_resource(data, filename=name)},
            name="ds",
            supervised=("image", "label"),
            features={
                "image": ImageFeature(shape=(32, 32, 3)),
                "label": LabelFeature(names=tuple("0123456789")),
            },
            splits={
                split: Split(
                    rows=rows,
                    reader={"format": "cifar"},
                    files={"image": f"data:{inner}{split}"},
                )
                for split, rows in ROWS.items()
            },
        )

    def leftovers(self) -> list[Path]:
        """Return the unfinished files in the cache."""
        result = self.store.root.glob("partial-v1/*")
        return [path for path in result if path.suffix != ".lock"]


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    """Return a mirror with a compressed tar."""
    return Upstream(tmp_path, PACKED, "made.tar.gz")


class Counting(io.RawIOBase):
    """A raw file that records the size of each read."""

    def __init__(self, raw: BinaryIO, counts: list[int]) -> None:
        self._raw, self._counts = raw, counts

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._raw.readinto(buffer)  # type: ignore[attr-defined]
        self._counts.append(count)
        return count


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the sizes of compressed chunks as they are decompressed."""
    counts: list[int] = []
    kind, plain = type(gz.archive), gz.archive.open

    def opened(_: object, raw: Any) -> ByteStream:
        return plain(io.BufferedReader(Counting(raw, counts)))

    monkeypatch.setattr(kind, "open", opened)
    return counts


def test_archive_is_unpacked_once_for_all_splits(upstream: Upstream, unpacked: list[int]) -> None:
    folders = prepare_splits(upstream.manifest, [*ROWS], upstream.fetcher)
    # The start of the archive is read twice, to detect the format.
    assert len(PACKED) <= sum(unpacked) < 1.3 * len(PACKED)
    for split, folder in zip(ROWS, folders, strict=True):
        table = Table(folder)
        result = table.span("image", 0, ROWS[split])
        np.testing.assert_array_equal(result, images(split))
        np.testing.assert_array_equal(table.span("label", 0, 9), records(split)[:9, 0])


@pytest.mark.parametrize("caller", ["prepare", "load_data", "load both"])
def test_every_caller_unpacks_once(upstream: Upstream, unpacked: list[int], caller: str) -> None:
    registry = Registry(manifests=[upstream.manifest], built_in=False)
    mirrors = [str(upstream.folder / "mirror")]
    settings = Settings.read(environment={}, cache=upstream.store.root, mirrors=mirrors)
    hub = Hub(settings=settings, registry=registry, progress=Silent())
    if caller == "prepare":
        assert len(hub.prepare("ds")) == 2
    elif caller == "load_data":
        (x_train, _), (x_test, _) = hub.load_data("ds")
        assert (len(x_train), len(x_test)) == (300, 100)
    else:
        assert len(hub.load("ds", "test+train")) == 400
    assert sum(unpacked) < 1.3 * len(PACKED)


class Steps(Silent):
    """A progress listener that records the title, total, unit and finished amount of each step."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int | None, str]] = []
        self.done: list[int] = []
        self.running = 0

    def start(self, title: str, total: int | None, unit: str = "B") -> None:
        assert not self.running
        self.running += 1
        self.steps.append((title, total, unit))
        self.done.append(0)

    def advance(self, amount: int) -> None:
        self.done[-1] += amount

    def finish(self) -> None:
        self.running -= 1


def test_unpacking_shows_its_own_progress(upstream: Upstream) -> None:
    progress = Steps()
    upstream.fetcher.progress = progress
    prepare_splits(upstream.manifest, [*ROWS], upstream.fetcher)
    steps = list(zip(progress.steps, progress.done, strict=True))
    size = len(PACKED)
    assert steps == [
        (("fetching", size, "B"), size),
        (("unpacking made.tar.gz", size, "B"), size),
        *[((f"preparing ds {split}", ROWS[split], "rows"), ROWS[split]) for split in ROWS],
    ]


def test_only_requested_splits_are_prepared(upstream: Upstream) -> None:
    one = prepare(upstream.manifest, "test", upstream.fetcher)
    assert prepare_splits(upstream.manifest, ["test"], upstream.fetcher) == [one]
    assert len(list(upstream.store.root.glob("tables-v1/ds/*"))) == 1
    both = prepare_splits(upstream.manifest, [*ROWS], upstream.fetcher)
    assert both[1] == one
    assert len(list(upstream.store.root.glob("tables-v1/ds/*"))) == 2


NESTED = {
    "tar.gz in a zip": ("made.zip", "a/in.tar.gz:"),
    "tars in a tar": ("made.tar", "*.tar:"),
}


@pytest.mark.parametrize("kind", NESTED)
def test_nested_archives_are_unpacked(tmp_path: Path, kind: str) -> None:
    """A reference with two colons selects members of an inner archive."""
    name, inner = NESTED[kind]
    if name == "made.zip":
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("a/in.tar.gz", PACKED)
        data = sink.getvalue()
    else:
        data = tarred({f"{split}.tar": tarred({split: FILES[split]}) for split in ROWS})
    upstream = Upstream(tmp_path, data, name, inner)
    for split, folder in zip(
        ROWS, prepare_splits(upstream.manifest, [*ROWS], upstream.fetcher), strict=True
    ):
        result = Table(folder).span("image", 0, ROWS[split])
        np.testing.assert_array_equal(result, images(split))


@pytest.mark.parametrize("end", ["success", "damaged", "killed"])
def test_space_for_unpacking_is_freed(upstream: Upstream, end: str) -> None:
    if end == "killed" and os.name == "nt":
        pytest.skip("no SIGKILL")
    if end == "success":
        prepare_splits(upstream.manifest, [*ROWS], upstream.fetcher)
    elif end == "damaged":
        broken = Upstream(upstream.folder / "broken", PACKED[:-5000], "made.tar.gz")
        with pytest.raises(ReadError, match=r"made\.tar\.gz: it is damaged"):
            prepare_splits(broken.manifest, [*ROWS], broken.fetcher)
        assert broken.leftovers() == []
    else:
        kill_while_writing(upstream)
        names = [path.name.partition("-")[0] for path in upstream.leftovers()]
        assert names == ["table"]  # the next process that builds this table removes it
        prepare_splits(upstream.manifest, [*ROWS], upstream.fetcher)
    assert upstream.leftovers() == []


def kill_while_writing(upstream: Upstream) -> None:
    """Prepare in a process that is killed after writing all rows of the first split."""
    script = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from dshub.download.fetcher import Fetcher
from dshub.catalog.parsing import from_json
from tests.preparing import prepare_splits
from dshub.cache.store import Store
from dshub.tables.writer import TableWriter

TableWriter.close = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
manifest = from_json(sys.stdin.buffer.read())
fetcher = Fetcher(Store(Path(sys.argv[1])), mirrors=[sys.argv[2]])
prepare_splits(manifest, ["train", "test"], fetcher)
"""
    tests = str(Path(__file__).parents[2])
    arguments = [str(upstream.store.root), str(upstream.folder / "mirror"), tests]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        input=msgspec.json.encode(upstream.manifest),
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_free_space_is_checked_before_unpacking(
    upstream: Upstream, unpacked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sum(ROWS.values())
    prepare(
        upstream.manifest, "test", upstream.fetcher
    )  # downloads the archive, so that the next call only unpacks it
    unpacked.clear()
    monkeypatch.setattr(Store, "free", lambda _: rows * (RECORD + 7) + len(PACKED) // 2)
    with pytest.raises(DiskFullError):
        prepare(upstream.manifest, "train", upstream.fetcher)
    assert unpacked == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_during_unpacking_is_reported(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("wb+", buffering=0) as full:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full)
        with pytest.raises(DiskFullError):
            prepare_splits(upstream.manifest, [*ROWS], upstream.fetcher)
    assert upstream.leftovers() == []
