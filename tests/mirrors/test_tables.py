import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from dshub import Hub, Settings
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mirror(dshub: Run, lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a mirror with tables, and unset DSHUB_REGISTRY."""
    assert dshub("mirror", "m", "lab/mnist", "--prepared").returncode == 0
    monkeypatch.delenv("DSHUB_REGISTRY")
    return tmp_path / "m"


def load(cache: Path, mirror: Path, **settings: Any) -> np.ndarray:
    """Load the training labels from a mirror."""
    values = Settings.read(environment={}, cache=cache, mirrors=[str(mirror)], **settings)
    labels = Hub(settings=values, progress=Silent()).load("lab/mnist", "train")["label"]
    return np.asarray(labels)


def has_no_upstream_files(cache: Path) -> bool:
    """Return True if the cache contains no upstream files."""
    return not [path for path in (cache / "blobs-v1").rglob("*") if path.is_file()]


def test_table_of_a_mirror_is_used(mirror: Path, tmp_path: Path) -> None:
    ready = load(tmp_path / "c1", mirror)
    assert has_no_upstream_files(tmp_path / "c1")
    shutil.copytree(mirror, tmp_path / "plain")
    shutil.rmtree(tmp_path / "plain" / "tables-v1")
    prepared = load(tmp_path / "c2", tmp_path / "plain")
    assert not has_no_upstream_files(tmp_path / "c2")
    assert np.array_equal(ready, prepared)
    [one], [two] = ((tmp_path / c).glob("tables-v1/lab/mnist/*/train*") for c in ("c1", "c2"))
    assert one.read_bytes() == two.read_bytes()


def test_files_of_a_site_cache_stay_there(mirror: Path, tmp_path: Path) -> None:
    """A table's files can be blobs of a read-only cache and must not be moved out of it."""
    site = tmp_path / "site"
    blobs = []
    for path in (mirror / "tables-v1").rglob("train*"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        blobs.append(site / "blobs-v1" / digest[:2] / digest)
        blobs[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, blobs[-1])
    load(tmp_path / "c", mirror, site_caches=[site])
    assert has_no_upstream_files(tmp_path / "c")
    assert blobs
    assert all(path.is_file() for path in blobs)


@pytest.mark.parametrize("what", ["train*.arrow", "table.json"])
def test_damaged_table_is_not_used(mirror: Path, tmp_path: Path, dshub: Run, what: str) -> None:
    sound = load(tmp_path / "c1", mirror)
    for path in (mirror / "tables-v1").rglob(what):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.unlink()
        path.write_bytes(data)
    assert np.array_equal(load(tmp_path / "c2", mirror), sound)
    assert not has_no_upstream_files(tmp_path / "c2")
    done = dshub("mirror", "m", "--verify", "--json")
    wrong = [item for item in json.loads(done.stdout)["files"] if item["state"] == "damaged"]
    assert done.returncode == 5
    assert {item["of"] for item in wrong} == {"lab/mnist@1.0.0"}


def test_table_for_a_local_manifest_is_not_used(mirror: Path, lab: "Lab", tmp_path: Path) -> None:
    """The unsigned index is the only source of the table's checksums."""
    load(tmp_path / "c", mirror, registry=[lab.registry])
    assert not has_no_upstream_files(tmp_path / "c")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_signed_table_for_a_local_manifest_is_used(
    mirror: Path, lab: "Lab", dshub: Run, tmp_path: Path
) -> None:
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    for arguments in (
        ["genpkey", "-algorithm", "ed25519", "-out", str(private)],
        ["pkey", "-in", str(private), "-pubout", "-out", str(public)],
    ):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    registry = {"DSHUB_REGISTRY": str(lab.registry)}
    dshub("mirror", "s", "lab/mnist", "--prepared", "--sign", str(private), **registry)
    load(tmp_path / "c", tmp_path / "s", registry=[lab.registry], mirror_keys=[public])
    assert has_no_upstream_files(tmp_path / "c")


def test_tables_stay_when_files_are_updated(mirror: Path, dshub: Run, lab: "Lab") -> None:
    """The update runs with `--prune` and without `--prepared`."""
    before = sorted((mirror / "tables-v1").rglob("*"))
    assert before
    dshub("mirror", "m", "lab/mnist", "--prune", DSHUB_REGISTRY=str(lab.registry))
    after = sorted((mirror / "tables-v1").rglob("*"))
    index = json.loads((mirror / "index.json").read_text())
    assert bool(after) == bool(index["datasets"][0]["tables"])
    assert after == before


def test_table_of_another_recipe_is_not_used(mirror: Path, tmp_path: Path) -> None:
    from dshub.mirrors.index import Index

    sound = load(tmp_path / "c1", mirror)
    index = Index.read((mirror / "index.json").read_bytes(), source="m")
    [entry] = index.datasets
    train, test = entry.tables["train"], entry.tables["test"]
    folder = mirror / "tables-v1" / "lab" / "mnist"
    shutil.copytree(folder / test.key, folder / train.key, dirs_exist_ok=True)
    swapped = msgspec.structs.replace(test, key=train.key)
    forged = msgspec.structs.replace(entry, tables={"train": swapped})
    (mirror / "index.json").write_bytes(Index.of([forged]).encode())
    assert np.array_equal(load(tmp_path / "c2", mirror), sound)
    assert not [path for path in (tmp_path / "c2").rglob("*test*") if path.is_file()]
