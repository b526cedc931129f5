"""Put hostile values into files; reading must succeed or raise a `DshubError`."""

import copy
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dshub import Hub, Manifest, Settings
from dshub.cache.journal import HEAD, Origin, read_journal
from dshub.cache.paths import blob_path
from dshub.cache.references import Reference, read_reference
from dshub.cache.store import Store
from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Resource, Split
from dshub.catalog.parsing import from_json, parse, to_json
from dshub.catalog.registry import Registry
from dshub.catalog.search import version_key
from dshub.checksums import Digest
from dshub.datasets.dataset import Dataset
from dshub.errors import ArgumentError, DshubError, ManifestError, ReadError, StoreError
from dshub.export._running import read as read_record
from dshub.hub.lockfile import read as read_lock
from dshub.importing.records import imports
from dshub.mirrors.index import BlobFacts, Index, TableFacts, entry_of
from dshub.mirrors.reading import Mirrors
from dshub.mirrors.source import MirrorSource
from dshub.progress import Silent
from dshub.tables.table import Table
from dshub.tables.writer import TableWriter

DEEP = "[" * 100_000 + "]" * 100_000
HOSTILE = {
    "negative": "-1",
    "too large": str(2**53 + 1),
    "64 bits": str(2**64),
    "5,000 digits": "9" * 5000,
    "float": "1.5",
    "huge float": "1e400",
    "NaN": "NaN",
    "bool": "true",
    "null": "null",
    "empty": '""',
    "list": "[]",
    "dict": "{}",
    "deep": DEEP,
    "superscript": '"\\u00b2"',
    "many digits": f'"{"9" * 5000}"',
    "path": '"../x"',
    "NUL": '"a\\u0000b"',
    "surrogate": '"\\ud800"',
}
MARK = "@hostile@"


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a document, containers included."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(item, (*path, key))


def mutated(document: Any) -> Iterator[tuple[str, str]]:
    """Yield a description and the JSON text for each hostile value at each path."""
    for path in list(paths(document))[1:]:
        changed = copy.deepcopy(document)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = MARK
        text = json.dumps(changed)
        for name, literal in HOSTILE.items():
            yield f"{path}: {name}", text.replace(f'"{MARK}"', literal)


def survives(work: Callable[[], object], title: str, *errors: type[Exception]) -> bool:
    """Return True if `work` succeeds and False if it raises one of `errors`; fail otherwise."""
    try:
        work()
    except errors:
        return False
    except Exception as error:  # noqa: BLE001  # any other error fails the test
        pytest.fail(f"{title}: {type(error).__name__}: {str(error)[:200]}")
    return True


def promptly(work: Callable[[], object]) -> object:
    """Return the result or the exception of `work`, which must end within 30 seconds."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001  # the caller checks the error
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout=30)
    assert results, "it hangs"
    return results[0]


DATA = b"one\ntwo\nthree\n"


def text_manifest(name: str) -> str:
    """Return the manifest of three lines of text with an unreachable URL."""
    return f"""\
schema = 1
name = "{name}"
version = "1.0.0"
title = "Lines"
summary = "Three lines."
task = "none"
homepage = "https://example.invalid"

[resources.lines]
filename = "lines.txt"
urls = ["http://127.0.0.1:9/lines.txt"]
sha256 = "{hashlib.sha256(DATA).hexdigest()}"
size = {len(DATA)}

[features]
text = {{ kind = "text" }}

[splits.train]
rows = 3
reader = {{ format = "lines" }}
files = {{ text = "lines" }}
"""


def publish(folder: Path, name: str) -> dict[str, Any]:
    """Write a mirror of a dataset and return the dataset's entry in the index."""
    text = text_manifest(name).encode()
    facts = BlobFacts(digest=f"sha256:{'1' * 64}", size=9)
    table = TableFacts(key="0" * 16, files={"table.json": facts})
    entry = entry_of(parse(text.decode(), source="test"), text, {"train": table})
    for data in (text, DATA):
        path = folder / blob_path(Digest.of_bytes(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "index.json").write_bytes(Index.of([entry]).encode())
    decoded: dict[str, Any] = json.loads(Index.of([entry]).body)[0]
    return decoded


def index_of(body: str) -> bytes:
    """Build an index with a correct checksum around a JSON body."""
    digest = hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
    head = f'{{"schema":1,"sha256":"{digest}","signatures":[],"datasets":'
    return f"{head}{body}}}\n".encode("utf-8", "surrogatepass")


@pytest.fixture
def mirrors(tmp_path: Path) -> tuple[Path, Path, dict[str, Any]]:
    """Return a mirror to corrupt, an intact one, and the first one's index entry."""
    bad, good = tmp_path / "bad", tmp_path / "good"
    entry_json = publish(bad, "toy")
    publish(good, "sound")
    local = tmp_path / "registry" / "mine"
    local.mkdir(parents=True)
    (local / "1.0.0.toml").write_text(text_manifest("mine"))
    return bad, good, entry_json


def hub(bad: Path, good: Path) -> tuple[Hub, Mirrors]:
    """Return a hub with both mirrors and a local registry, without the built-in registry."""
    parent = bad.parent
    settings = Settings.read(
        environment={}, cache=parent / "cache", mirrors=[str(bad), str(good)], timeout=1
    )
    mirrors = Mirrors(settings, Store(settings.cache))
    registry = Registry([parent / "registry"], sources=[MirrorSource(mirrors)], built_in=False)
    return Hub(settings=settings, registry=registry, progress=Silent()), mirrors


def test_bad_index_of_a_mirror_does_not_affect_other_mirrors(
    mirrors: tuple[Path, Path, dict[str, Any]],
) -> None:
    bad, good, entry_json = mirrors
    refused = 0
    for title, text in mutated(entry_json):
        (bad / "index.json").write_bytes(index_of(f"[{text}]"))
        hub_, client = hub(bad, good)
        assert {"mine", "sound"} <= set(hub_.names()), title
        assert {"mine", "sound"} <= {item.name for item in hub_.registry.listing()}, title
        errors = client.errors
        for address, error in errors.items():
            assert address == str(bad), title
            assert isinstance(error, ReadError), title
            assert str(bad) in str(error), title
        if client.errors:
            refused += 1
        else:
            survives(partial(every_manifest, hub_), title, DshubError)
    assert refused > 300


def every_manifest(hub_: Hub) -> list[Manifest]:
    """Read every manifest that the hub lists."""
    return [hub_.info(name) for name in hub_.names()]


CASES: dict[str, Callable[[dict[str, Any]], object]] = {
    "manifest of size -3": lambda entry: entry["manifest"].update(size=-3),
    "file of size -1": lambda entry: entry["files"][0].update(size=-1),
    "table of size -1": lambda entry: entry["tables"]["train"]["files"]["table.json"].update(
        size=-1
    ),
    "manifest by MD5": lambda entry: entry["manifest"].update(digest="md5:" + "0" * 32),
    "version of 5,000 digits": lambda entry: entry.update(version=f"{'9' * 5000}.0.0"),
    "version with a superscript": lambda entry: entry.update(version="1.0.\u00b2"),
    "listed twice": id,
}


@pytest.mark.parametrize("case", CASES)
def test_bad_index_of_a_mirror_does_not_stop_downloads_from_others(
    mirrors: tuple[Path, Path, dict[str, Any]], case: str
) -> None:
    bad, good, entry_json = mirrors
    CASES[case](entry_json)
    entries = [entry_json, entry_json] if case == "listed twice" else [entry_json]
    (bad / "index.json").write_bytes(index_of(json.dumps(entries)))
    hub_, _ = hub(bad, good)
    assert hub_.names() == ["mine", "sound"]
    fetched = promptly(lambda: hub_.fetch("mine", "sound", prepare=False))
    assert isinstance(fetched, list), fetched
    refused = promptly(lambda: hub_.fetch("toy", prepare=False))
    assert isinstance(refused, ReadError)
    assert str(bad) in str(refused)


def test_hostile_index_head_is_accepted_or_raises_a_dshub_error(
    mirrors: tuple[Path, Path, Any],
) -> None:
    document = json.loads((mirrors[0] / "index.json").read_bytes())
    document |= {"serial": 7, "date": "2026-01-31T12:00:00Z", "signatures": ["x"]}
    for title, text in mutated(document):
        data = text.encode("utf-8", "surrogatepass")
        survives(partial(Index.read, data, source="m"), title, DshubError)
    for data in (b'{"schema":1,"x":"\xff"}', DEEP.encode(), b"{" * 100_000):
        assert not survives(partial(Index.read, data, source="m"), "head", ReadError)


def test_negative_size_is_rejected_before_the_download(hub: Hub) -> None:
    from dshub.download.sources import Job

    resource = Resource(urls=("http://127.0.0.1:9/x",), sha256="0" * 64, size=-3)
    error = promptly(lambda: hub.fetcher().fetch([Job("toy", "lines", resource)]))
    assert isinstance(error, ArgumentError)
    assert "the size of lines is -3" in str(error)


@pytest.mark.parametrize("version", ["\u00b2", "9" * 5000, "1.\u0663.0", "", "...", "-1", "1.0.x"])
def test_any_text_sorts_as_a_version(version: str) -> None:
    """Files in a registry can have any name."""
    assert sorted(["1.0.0", version], key=version_key)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write a table of two shards and return its folder."""
    manifest = Manifest(
        schema=1,
        name="ds",
        version="1.0.0",
        title="A dataset",
        summary="A dataset for tests.",
        task="none",
        homepage="https://example.invalid",
        resources={"r": Resource(filename="r", sha256="0" * 64, size=5)},
        features={"label": LabelFeature(names=("a", "b", "c"))},
        splits={"train": Split(rows=40, reader={"format": "idx"}, files={"label": "r"})},
    )
    folder = tmp_path / "table"
    folder.mkdir()
    with TableWriter(folder, manifest, "train", shard_bytes=100) as writer:
        for _ in range(2):
            labels = pa.array(np.arange(20) % 3)
            writer.write(pa.RecordBatch.from_pydict({"label": labels}))
        writer.close({"key": "value"})
    return folder


def count_rows(folder: Path) -> int:
    """Return the number of rows after reading every batch of a table."""
    rows = Dataset.from_tables([folder])
    return sum(len(batch["label"]) for batch in rows.batches(7, shuffle=False))


def test_hostile_table_record_gives_all_rows_or_a_dshub_error(table: Path) -> None:
    path = table / "table.json"
    document = json.loads(path.read_bytes())
    for title, text in mutated(document):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        if survives(lambda: count_rows(table), title, DshubError):
            assert count_rows(table) == 40, title


@pytest.mark.parametrize(
    ("shard", "change"),
    [
        (0, {"rows": 0}),
        (0, {"rows": 39}),
        (1, {"file": "../table/train-00001-of-00002.arrow"}),
        (1, {"file": "train-00000-of-00002.arrow"}),
        (1, {"sha256": "x"}),
        (1, {"size": -1}),
    ],
)
def test_table_record_with_inconsistent_shards_is_rejected(
    table: Path, shard: int, change: dict[str, Any]
) -> None:
    path = table / "table.json"
    document = json.loads(path.read_bytes())
    document["shards"][shard] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(StoreError) as caught:
        Table(table)
    assert "dshub cache rm --prepared" in caught.value.hint


@pytest.mark.parametrize("rows", [0, 19, 21])
def test_journal_with_a_wrong_row_count_is_not_resumed(
    table: Path, tmp_path: Path, rows: int
) -> None:
    record = Table(table).record
    shard = json.loads((table / "table.json").read_bytes())["shards"][0]
    journal = {"stamp": "s", "shards": [shard | {"rows": rows}]}
    (table / "journal.json").write_text(json.dumps(journal))
    with TableWriter(table, record.manifest, "train") as writer:
        writer.resume("s")
        assert writer.rows == 0


def test_hostile_journal_does_not_break_resuming_a_table(table: Path) -> None:
    record = Table(table).record
    shards = json.loads((table / "table.json").read_bytes())["shards"]
    before = {path.name: path.read_bytes() for path in table.iterdir()}
    for title, text in mutated({"stamp": "s", "shards": shards}):
        for name, data in before.items():
            (table / name).write_bytes(data)
        (table / "journal.json").write_bytes(text.encode("utf-8", "surrogatepass"))
        with TableWriter(table, record.manifest, "train") as writer:
            survives(partial(writer.resume, "s"), title)
            assert writer.rows in {0, 20, 40}, title


def test_hostile_download_journal_is_read_or_ignored(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for title, text in mutated({"url": "https://a.example/x", "etag": '"1"'}):
        path.write_text(text.ljust(HEAD - 1) + "\n", encoding="utf-8", errors="surrogatepass")
        survives(lambda: read_journal(path), title)
    for etag in ("x", '"a\r\nHost: b"', '"\u2603"', '"' + "x" * 3000 + '"'):
        path.write_text(json.dumps({"url": "", "etag": etag}).ljust(HEAD - 1) + "\n")
        assert read_journal(path) is None
    path.write_text(json.dumps({"url": "u", "etag": '"1"'}).ljust(HEAD - 1) + "\n")
    journal = read_journal(path)
    assert journal is not None
    assert journal[0] == Origin("u", '"1"')


def test_hostile_reference_is_read_or_ignored(tmp_path: Path) -> None:
    note = tmp_path / "note.json"
    file = tmp_path / "caf\udce9"  # a name that is not UTF-8
    file.write_bytes(b"data")
    reference = Reference.of(file, file.stat())
    note.write_bytes(reference.encoded())
    assert read_reference(note) == reference
    for title, text in mutated({"path": str(tmp_path / "x"), "size": 4, "changed": 5}):
        note.write_bytes(text.encode("utf-8", "surrogatepass"))

        def read_record_of_mutation() -> None:
            parsed = read_reference(note)
            assert parsed is None or isinstance(parsed.fault, str)

        survives(read_record_of_mutation, title)


def test_import_record_that_does_not_match_its_dataset_is_ignored(tmp_path: Path) -> None:
    from dshub import Registry

    registry = Registry()
    manifests = map(registry.manifest, registry.names())
    manifest = next(
        item for item in manifests for lay in item.layouts.values() if lay.local_members
    )
    name, layout = next((k, v) for k, v in manifest.layouts.items() if v.local_members)
    document = {
        "schema": 1,
        "name": manifest.name,
        "layout": name,
        "split": layout.split,
        "path": str(tmp_path),
        "prefix": "",
        "identity": "0" * 64,
        "files": 3,
        "size": 9,
    }
    path = tmp_path / "imports-v1" / manifest.name / f"{name}.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
    assert len(imports(Store(tmp_path), manifest)) == 1
    for title, text in mutated(document):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))

        def read_record_of_mutation() -> None:
            for record in imports(Store(tmp_path), manifest):
                assert record.manifest(manifest).resources
                assert (record.name, record.layout) == (manifest.name, name)

        survives(read_record_of_mutation, title)


def test_hostile_export_record_is_read_or_rejected(tmp_path: Path) -> None:
    """`--force` removes the files that a record names, so they must be in the export folder."""
    file = {"name": "train-00000-of-00001.parquet", "size": 3}
    split = {
        "dataset": "ds@1.0.0",
        "split": "train",
        "fingerprint": "f",
        "revision": 1,
        "rows": 3,
        "shards": 1,
        "features": {"label": {"kind": "label", "names": ["a", "b"]}},
        "done": {"0": [file]},
    }
    path = tmp_path / ".dshub-export.json"
    for title, text in mutated({"schema": 1, "format": "parquet", "splits": {"train": split}}):
        path.write_bytes(text.encode("utf-8", "surrogatepass"))

        def read_record_of_mutation() -> None:
            record = read_record(tmp_path, "parquet")
            for item in record.splits.values():
                assert all(Path(f.name).name == f.name for fs in item.done.values() for f in fs)

        survives(read_record_of_mutation, title, DshubError)


def test_hostile_lockfile_is_read_or_rejected(tmp_path: Path) -> None:
    """TOML allows dates, and hexadecimal numbers that Python cannot print in decimal."""
    path = tmp_path / "dshub.lock"
    fields = {
        "name": '"mnist"',
        "version": '"1.0.0"',
        "digest": f'"{"0" * 64}"',
        "path": '"m.toml"',
        "files": f'{{ a = {{ name = "f", digest = "sha256:{"0" * 64}", size = 3 }} }}',
        "splits": f'{{ train = {{ rows = 3, fingerprint = "{"0" * 64}" }} }}',
    }
    odd = {**HOSTILE, "hexadecimal": "0x" + "f" * 5000, "date": "2026-01-31", "inf": "inf"}
    odd |= {"rows": "{ train = { rows = -1, fingerprint = 'x' } }", "md5": '"md5:0"'}
    for field in (None, *fields):
        for title, literal in odd.items():
            lines = [f"{key} = {literal if key == field else text}" for key, text in fields.items()]
            schema = literal if field is None else "1"
            path.write_text(f"schema = {schema}\n[[dataset]]\n" + "\n".join(lines))
            survives(lambda: read_lock(path), f"{field}: {title}", StoreError)


@pytest.mark.parametrize(
    "line",
    [
        "schema = 0x{}",
        "name = 0x{}",
        "rows = 0x{}",
        "size = 0x{}",
        "resources = 0x{}",
        "text = 0x{}",
        "text = {{ kind = 0x{} }}",
        "reader = {{ format = 0x{} }}",
        "figures = {{ label-counts = [0x{}, 1] }}",
    ],
)
def test_manifest_with_a_huge_hexadecimal_number_is_rejected(line: str) -> None:
    """Python raises ValueError when it converts such a number to decimal digits."""
    name = line.partition(" ")[0]
    lines = [old for old in text_manifest("toy").splitlines() if not old.startswith(f"{name} =")]
    if name == "resources":
        lines = [old for old in lines if old != "[resources.lines]"]
    first = name in {"schema", "name", "resources"}
    place = 0 if first else lines.index("[features]") + 1 if name == "text" else len(lines)
    lines.insert(place, line.format("f" * 5000))
    with pytest.raises(ManifestError):
        parse("\n".join(lines), source="test")


def test_hostile_cached_manifest_is_read_or_rejected() -> None:
    document = json.loads(to_json(parse(text_manifest("toy"), source="test")))
    for title, text in mutated(document):
        data = text.encode("utf-8", "surrogatepass")

        def read_record_of_mutation(data: bytes = data) -> None:
            manifest = from_json(data)
            assert manifest.digest
            assert [item.digest for item in manifest.resources.values()]
            assert manifest.prepared_size() >= 0

        survives(read_record_of_mutation, title, ManifestError)


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ({}, True),
        ({"rows": 41}, False),
        ({"split": "test"}, False),
        ({"shards": []}, False),
        ({"recipe": {"key": "other"}}, False),
    ],
)
def test_table_of_a_mirror_is_rejected_if_its_record_does_not_match(
    table: Path, tmp_path: Path, cache: Path, change: dict[str, Any], accepted: bool
) -> None:
    path = table / "table.json"
    manifest = Table(table).record.manifest
    facts = {
        item.name: BlobFacts(digest=str(Digest.of_file(item)), size=item.stat().st_size)
        for item in table.glob("*.arrow")
    }
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    facts["table.json"] = BlobFacts.of_bytes(path.read_bytes())
    key = "0123456789abcdef"
    target = tmp_path / "mirror" / "tables-v1" / "ds" / key
    target.parent.mkdir(parents=True)
    table.rename(target)
    entry = entry_of(manifest, b"", {"train": TableFacts(key=key, files=facts)})
    settings = Settings.read(environment={}, cache=cache, mirrors=[str(tmp_path / "mirror")])
    mirrors = Mirrors(settings, Store(cache))
    assert mirrors.take_table(entry, "train", key, {"key": "value"}) is accepted
    assert (cache / "tables-v1" / "ds" / key).is_dir() is accepted
