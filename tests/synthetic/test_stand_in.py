"""Stand-ins: raw files in upstream's layout, and the rows that come out of them."""

import gzip
import io
import lzma
import struct
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from dshub import Hub, Settings
from dshub.cache.store import Store
from dshub.catalog.features import ImageFeature, LabelFeature, NumberFeature
from dshub.catalog.manifest import Manifest
from dshub.catalog.registry import Registry
from dshub.progress import Silent
from dshub.synthetic.stand_in import stand_in
from dshub.tables.recipe import find, recipe
from dshub.tables.table import Table
from tests.preparing import prepare

NAMES = Registry(()).names()
IDX = [  # every other format is held against an independent reading in tests/registry
    name
    for name in NAMES
    if all(split.reader["format"] == "idx" for split in Registry(()).manifest(name).splits.values())
]
CODES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}


def plain(data: bytes) -> bytes:
    """Bytes with their compression removed."""
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    return lzma.decompress(data) if data[:5] == b"\xfd7zXZ" else data


def array(data: bytes) -> np.ndarray:
    """The array in an IDX file."""
    code, dimensions = data[2], data[3]
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return np.frombuffer(data[4 + 4 * dimensions :], f">{CODES[code]}").reshape(shape)


def part_of(manifest: Manifest, store: Store, split: str, part: str) -> np.ndarray:
    """What the raw file of a part holds, read without dshub's readers."""
    resource, _, member = manifest.splits[split].references(part)[0].partition(":")
    path = store.blob(manifest.resources[resource].digest)
    assert path is not None
    data = path.read_bytes()
    if member:
        data = zipfile.ZipFile(io.BytesIO(data)).read(member)
    elif manifest.resources[resource].name.endswith((".gz", ".xz")):
        assert plain(data) != data  # upstream's layout: compressed as its name says
    return array(plain(data))


def expected(manifest: Manifest, store: Store, split: str) -> dict[str, np.ndarray]:
    """The columns of a split, from its raw files, as the manifest describes them."""
    reader = manifest.splits[split].reader
    columns: dict[str, np.ndarray] = {}
    for part in manifest.splits[split].files:
        found = part_of(manifest, store, split, part)
        if part in reader.get("columns", {}):
            columns |= {name: found[:, i] for i, name in enumerate(reader["columns"][part])}
        elif part in reader.get("transpose", ()):
            columns[part] = np.moveaxis(found, 2, 1)
        else:
            columns[part] = found
    for name, feature in manifest.features.items():
        if isinstance(feature, LabelFeature) and name in columns:
            columns[name] = columns[name].astype(int) - feature.first
    return columns


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """A hub whose cache the tests of this file share."""
    settings = Settings.read(cache=tmp_path_factory.mktemp("shared") / "cache")
    return Hub(settings=settings, progress=Silent())


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("name", IDX)
def test_every_dataset_goes_round(shared: Hub, name: str, rows: int) -> None:
    """Rows are those of the raw files; columns, shapes, dtypes and classes the manifest's."""
    real = shared.info(name)
    for split, facts in real.splits.items():
        found = shared.load(name, split, synthetic=rows)
        assert found.manifest is not None
        assert len(found) == rows
        wanted = expected(found.manifest, shared.store, split)
        features = real.split_features(split)
        assert list(found.features) == list(features)
        for column, feature in features.items():
            values = np.asarray(found[column])
            assert len(wanted[column]) == rows
            np.testing.assert_array_equal(values, wanted[column].reshape(values.shape))
            match feature:
                case ImageFeature() | NumberFeature():
                    assert values.dtype == np.dtype(feature.dtype)
                    assert values.shape[1:] == feature.shape
                case LabelFeature():
                    assert values.dtype == np.int64
                    assert 0 <= values.min() <= values.max() < len(feature.names)
                    held = found.features[column]
                    assert isinstance(held, LabelFeature)
                    assert held.names == feature.names
        assert facts.files == found.manifest.splits[split].files


@pytest.mark.parametrize("name", NAMES)
def test_synthetic_data_says_so_everywhere(shared: Hub, name: str) -> None:
    """Version, title, summary and the representation all say synthetic."""
    split = next(iter(shared.info(name).splits))
    found = shared.load(name, split, synthetic=5)
    made = found.manifest
    assert made is not None
    assert made.synthetic
    assert not shared.info(name).synthetic
    assert made.identifier == f"{shared.info(name).identifier}+synthetic.5.0"
    assert "synthetic" in made.title.lower()
    assert "synthetic" in repr(found).lower()
    assert made.license.redistribution == "unknown"
    assert made.license.spdx is None


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_synthetic_data_is_never_taken_for_the_dataset(shared: Hub, name: str) -> None:
    """No file and no table of it lies under a name of the real ones."""
    real = shared.info(name)
    made = stand_in(real, shared.store, rows=5)
    for split in real.splits:
        shared.load(name, split, synthetic=5)
        assert recipe(made, split).key != recipe(real, split).key
        assert find(real, split, shared.store) is None
    assert not any(shared.store.blob(item.digest) for item in real.resources.values())


def test_as_many_rows_as_there_are_and_no_more(hub: Hub) -> None:
    """A split with fewer rows than asked for keeps its number."""
    real = hub.info("mnist")
    splits = {
        name: msgspec.structs.replace(split, rows=rows)
        for (name, split), rows in zip(real.splits.items(), (7, 30), strict=True)
    }
    small = msgspec.structs.replace(real, splits=splits)
    made = stand_in(small, hub.store, rows=20)
    assert [split.rows for split in made.splits.values()] == [7, 20]
    for split, wanted in (("train", 7), ("test", 20)):
        assert len(part_of(made, hub.store, split, "image")) == wanted


def content(manifest: Manifest, store: Store) -> dict[str, bytes]:
    """The plain pixels of each split."""
    return {split: part_of(manifest, store, split, "image").tobytes() for split in manifest.splits}


def test_the_same_seed_gives_the_same_rows(hub: Hub, tmp_path: Path) -> None:
    """In any cache; another seed gives others, and so does another split."""
    real = hub.info("mnist")
    made = stand_in(real, hub.store, rows=20)
    again = stand_in(real, Store(tmp_path / "other"), rows=20)
    assert again == made
    other = stand_in(real, hub.store, rows=20, seed=1)
    assert other.resources != made.resources
    first, second = content(made, hub.store), content(other, hub.store)
    assert first["train"] != first["test"]
    assert all(first[split] != second[split] for split in first)
    assert stand_in(real, hub.store, rows=21).identifier != made.identifier


def test_a_second_call_finds_the_first(hub: Hub) -> None:
    """Nothing is written again, and what somebody deleted is made again."""
    real = hub.info("emnist/letters")
    made = stand_in(real, hub.store, rows=10)
    before = {path: path.stat().st_ino for path in hub.store.root.rglob("*") if path.is_file()}
    assert stand_in(real, hub.store, rows=10) == made
    assert {p: p.stat().st_ino for p in hub.store.root.rglob("*") if p.is_file()} == before
    assert not [path for path in before if path.is_relative_to(hub.store.root / "partial-v1")]
    for item in made.resources.values():
        path = hub.store.blob(item.digest)
        assert path is not None
        path.unlink()
    assert stand_in(real, hub.store, rows=10) == made
    assert all(hub.store.blob(item.digest) for item in made.resources.values())


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_a_damaged_description_is_made_again(hub: Hub, content: bytes) -> None:
    """It is only a note of what was made."""
    made = stand_in(hub.info("mnist"), hub.store, rows=10)
    (path,) = (hub.store.root / "synthetic-v1").rglob("*.json")
    path.write_bytes(content)
    assert stand_in(hub.info("mnist"), hub.store, rows=10) == made


@pytest.mark.parametrize("name", IDX)
def test_there_is_something_to_learn(shared: Hub, name: str) -> None:
    """The nearest mean of the first half's classes tells the second half far above chance."""
    real = shared.info(name)
    label = real.features["label"]
    assert isinstance(label, LabelFeature)
    classes = len(label.names)
    found = shared.load(name, next(iter(real.splits)), synthetic=60 * classes)
    pictures = np.asarray(found["image"], np.float64).reshape(len(found), -1)
    labels = np.asarray(found["label"])
    half = len(found) // 2
    means = np.stack([pictures[:half][labels[:half] == i].mean(axis=0) for i in range(classes)])
    distances = (means**2).sum(axis=1) - 2 * pictures[half:] @ means.T
    right = (distances.argmin(axis=1) == labels[half:]).mean()
    assert right > 0.4  # chance is 0.1 at most


def test_every_class_is_there(shared: Hub) -> None:
    """Classes come equally often, give or take one, in an order that is mixed."""
    found = shared.load("mnist", "train", synthetic=105)
    counts = np.bincount(found["label"], minlength=10)
    assert counts.max() - counts.min() <= 1
    assert list(found["label"]) != sorted(found["label"])


def test_hidden_labels_stay_hidden(hub: Hub) -> None:
    """A split without labels has none in its stand-in, and pictures of every class."""
    real = hub.info("mnist")
    test = msgspec.structs.replace(
        real.splits["test"], without=("label",), files={"image": "test-images"}
    )
    resources = {k: v for k, v in real.resources.items() if k != "test-labels"}
    hidden = msgspec.structs.replace(real, splits=real.splits | {"test": test}, resources=resources)
    made = stand_in(hidden, hub.store, rows=30)
    table = Table(prepare(made, "test", hub.fetcher()))
    assert list(table.features) == ["image"]
    pictures = np.asarray(table.span("image", 0, 30))
    assert len(np.unique(pictures.reshape(30, -1), axis=0)) == 30
    assert "label" in Table(prepare(made, "train", hub.fetcher())).features
