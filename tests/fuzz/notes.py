"""Fuzz the small files in a cache: journals, records of tables and exports, checksums."""

from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from dshub import Registry
from dshub.cache.journal import Journal, Origin, read_journal
from dshub.cache.references import Reference, read_reference
from dshub.cache.spans import Extents
from dshub.cache.store import Store, pinned
from dshub.catalog.features import (
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.catalog.parsing import to_json
from dshub.datasets.dataset import Dataset
from dshub.export._running import NAME, File, Record, SplitRecord
from dshub.export._running import read as read_export
from dshub.hub.cache import Cache
from dshub.hub.describing import import_location
from dshub.hub.terms import are_accepted
from dshub.importing.holding import Sums, read_sums
from dshub.importing.records import imports
from dshub.mirrors.index import table_facts
from dshub.tables.conforming import conform
from dshub.tables.writer import TableWriter

from . import mutations
from .documents import registry
from .target import Target, scratch, tried, written

FEATURES: dict[str, Feature] = {
    "vector": NumberFeature(dtype="float32", shape=(2,)),
    "label": LabelFeature(names=("a", "b", "c")),
    "text": TextFeature(),
    "photo": ImageFeature(encoding="any"),
    "words": ListFeature(of=TextFeature()),
}
PNG = b"\x89PNG\r\n\x1a\n"
SHA = "0" * 64
KEY = "0123456789abcdef"
SHARD = "train-00000-of-00002.arrow"
WITH_LAYOUTS = "cifar-10"


def journal(data: bytes) -> None:
    """Read the journal of a partial download and check its byte ranges."""
    entry = read_journal(written(data))
    if entry is None:
        return
    origin, extents = entry
    assert isinstance(origin.url, str)
    assert 0 <= extents.front <= extents.end
    assert all(start < stop for start, stop in extents)
    assert extents.total + sum(stop - start for start, stop in extents.gaps(extents.end)) == (
        extents.end
    )


def _journals() -> dict[str, bytes]:
    path, extents = scratch("journal"), Extents((0, 1 << 20), (5 << 20, 6 << 20))
    journal = Journal(path)
    journal.begin(Origin("https://host.example/file.gz", '"v1"'), extents)
    journal.close()
    return {"two-ranges": path.read_bytes()}


def notes(data: bytes) -> None:
    """Write an input to every small file of a cache, then read the files and list the cache."""
    root = scratch("cache-of-notes")
    for place in _places():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    reference = read_reference(root / _REFERENCE)
    if reference is not None:
        assert isinstance(reference.fault, str)
    import_location(root / _REFERENCE)  # an empty string if the reference names no path
    store, dataset = Store(root), registry().manifest(WITH_LAYOUTS)
    assert isinstance(imports(store, dataset), list)
    are_accepted(dataset, store)
    with tried:
        pinned(store)
    cache = Cache(store, Registry([], built_in=False))
    with tried:
        assert cache.items()
    with tried:
        cache.gc(dry_run=True)


_REFERENCE = f"references-v1/00/{SHA}.json"


def _places() -> list[str]:
    layouts = registry().manifest(WITH_LAYOUTS).layouts
    return [
        _REFERENCE,
        f"tables-v1/one/{KEY}/table.json",
        f"partial-v1/{SHA}/journal",
        f"synthetic-v1/one/{KEY}.json",
        "pins-v1/one.pin",
        f"terms-v1/{WITH_LAYOUTS}.accepted",
        f"mirrors-v1/{KEY}.json",
        *(f"imports-v1/{WITH_LAYOUTS}/{name}.json" for name in layouts),
    ]


def _notes() -> dict[str, bytes]:
    reference = Reference("/data/train.tar", 1234, 1_700_000_000_000_000_000)
    layout, facts = next(iter(registry().manifest(WITH_LAYOUTS).layouts.items()))
    record = {"schema": 1, "name": WITH_LAYOUTS, "layout": layout, "split": facts.split}
    record |= {"path": "/data/x", "identity": SHA, "files": 3, "size": 30}
    return {
        "reference.json": reference.encoded(),
        "import.json": mutations.json_bytes(record),
        "manifest.json": to_json(_manifest()),
        "table.json": (_table() / "table.json").read_bytes(),
        "kept-index.json": mutations.json_bytes({"etag": '"1"', "index": "{}"}),
        "accepted": f"sha256:{SHA} accepted 2025-01-01 00:00:00\n".encode(),
    }


def _manifest() -> Manifest:
    return Manifest(
        schema=1,
        name="one",
        version="1.0.0",
        title="A dataset",
        summary="A dataset for fuzzing.",
        task="none",
        homepage="https://host.example",
        resources={"r": Resource(filename="r", sha256=SHA)},
        features=FEATURES,
        splits={"train": Split(rows=3, reader={"format": "idx"}, files={"image": "r"})},
    )


def _table() -> Path:
    """Prepare a table of three rows in two shards, and return its folder."""
    folder = scratch("table")
    if not folder.exists():
        folder.mkdir()
        rows = {
            "vector": pa.FixedSizeListArray.from_arrays(np.arange(6, dtype=np.float32), 2),
            "label": pa.array([0, 1, 2], pa.int64()),
            "text": ["", "plain", "zwölf"],
            "photo": [PNG, PNG + b"a", PNG],
            "words": pa.array([["a"], [], ["b", "c"]], pa.list_(pa.string())),
        }
        batch = conform(pa.RecordBatch.from_pydict(rows), FEATURES, where="t", first_row=0)
        with TableWriter(folder, _manifest(), "train", shard_bytes=1) as writer:
            writer.write(batch.slice(0, 2))
            writer.write(batch.slice(2))
            writer.close(recipe={"key": KEY})
    return folder


def _table_with(name: str, data: bytes) -> Path:
    """Copy the table to another folder, with the input in place of one file."""
    source, folder = _table(), scratch("table-under-test")
    folder.mkdir(exist_ok=True)
    for path in source.iterdir():
        target = folder / path.name
        target.unlink(missing_ok=True)  # the old file can still be memory-mapped
        target.write_bytes(data if path.name == name else path.read_bytes())
    return folder


def table_record(data: bytes) -> None:
    """Read an input as the `table.json` of intact shards."""
    folder = _table_with("table.json", data)
    with tried:
        table_facts(folder)
    _read_rows(folder)


def table_shard(data: bytes) -> None:
    """Read an input as a shard that `table.json` does not describe."""
    _read_rows(_table_with(SHARD, data))


def _read_rows(folder: Path) -> None:
    """Read rows one by one, in a batch and as Arrow, which accepts invalid UTF-8 in text."""
    dataset = Dataset.from_tables([folder]).decode(on=False)
    for row in range(min(len(dataset), 5)):
        with tried:
            assert dataset[row]
    with tried:
        assert next(iter(dataset.shuffle(seed=0).batches(5)), None) is not None
    with tried, suppress(UnicodeDecodeError):
        dataset.take(5).arrow().to_pylist()


def _records() -> dict[str, bytes]:
    return {"table.json": (_table() / "table.json").read_bytes()}


def _shards() -> dict[str, bytes]:
    return {"train.arrow": (_table() / SHARD).read_bytes()}


def sums(data: bytes) -> None:
    """Check that checksums are unchanged after being read and written again."""
    path, again = written(data, "files.sha256"), scratch("again.sha256")
    names = [name for name, _ in read_sums(path)]
    copy = Sums()
    copy.read(path)
    copy.write(again, dict.fromkeys(names))
    assert dict(read_sums(again)) == dict(read_sums(path))


def _sums() -> dict[str, bytes]:
    path, checksums = scratch("files.sha256"), Sums()
    for name in ("a.jpg", "b\\c\n.jpg", "é"):
        checksums.note(name, SHA)
    checksums.write(path, ["a.jpg", "b\\c\n.jpg", "é"])
    return {"three": path.read_bytes()}


def export(data: bytes) -> None:
    """Read an input as the record of an export."""
    path = written(data, NAME)
    read_export(path.parent, "csv")


def _exports() -> dict[str, bytes]:
    split = SplitRecord(
        dataset="one@1.0.0",
        split="train[:2]",
        fingerprint=KEY,
        revision=1,
        rows=2,
        shards=1,
        features=dict(FEATURES),
        done={"0": (File("train.csv", 3),)},
    )
    record = Record(format="csv", splits={"train": split})
    return {"one.json": msgspec.json.encode(record)}


_json = mutations.json_document()
TARGETS = (
    Target("journal", journal, _journals, tokens=(b"9" * 15, b"0" * 15), share=0.5),
    Target("cache-notes", notes, _notes, _json, (b"accepted", b'"path"')),
    Target("table-record", table_record, _records, _json),
    Target("table-shard", table_shard, _shards),
    Target("sums", sums, _sums, tokens=(b"\\n", b"\\\\", SHA.encode()), share=0.3),
    Target("export-record", export, _exports, _json, share=0.3),
)
