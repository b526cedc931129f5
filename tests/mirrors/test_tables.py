"""Prepared tables on a mirror: ready to load, and checked as strictly as the files."""

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
    """A mirror with tables, of which the environment knows nothing."""
    assert dshub("mirror", "m", "lab/mnist", "--prepared").returncode == 0
    monkeypatch.delenv("DSHUB_REGISTRY")
    return tmp_path / "m"


def load(cache: Path, mirror: Path, **settings: Any) -> np.ndarray:
    """The labels that a user gets who has nothing but the mirror."""
    chosen = Settings.read(environment={}, cache=cache, mirrors=[str(mirror)], **settings)
    labels = Hub(settings=chosen, progress=Silent()).load("lab/mnist", "train")["label"]
    return np.asarray(labels)


def took_table(cache: Path) -> bool:
    """Whether no upstream file was needed: nothing is in the cache but the table."""
    return not [path for path in (cache / "blobs-v1").rglob("*") if path.is_file()]


def test_a_table_is_loaded_as_it_is(mirror: Path, tmp_path: Path) -> None:
    """No upstream file is fetched, and the rows are those that preparing gives."""
    ready = load(tmp_path / "c1", mirror)
    assert took_table(tmp_path / "c1")
    shutil.copytree(mirror, tmp_path / "plain")
    shutil.rmtree(tmp_path / "plain" / "tables-v1")
    prepared = load(tmp_path / "c2", tmp_path / "plain")
    assert not took_table(tmp_path / "c2")
    assert np.array_equal(ready, prepared)
    [one], [two] = ((tmp_path / c).glob("tables-v1/lab/mnist/*/train*") for c in ("c1", "c2"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("what", ["train*.arrow", "table.json"])
def test_a_damaged_table_is_not_used(mirror: Path, tmp_path: Path, dshub: Run, what: str) -> None:
    """It is found by --verify; a client prepares the rows from the files instead."""
    sound = load(tmp_path / "c1", mirror)
    for path in (mirror / "tables-v1").rglob(what):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.unlink()
        path.write_bytes(data)
    assert np.array_equal(load(tmp_path / "c2", mirror), sound)
    assert not took_table(tmp_path / "c2")
    done = dshub("mirror", "m", "--verify", "--json")
    wrong = [item for item in json.loads(done.stdout)["files"] if item["state"] == "damaged"]
    assert done.returncode == 5
    assert {item["of"] for item in wrong} == {"lab/mnist@1.0.0"}


def test_a_folders_dataset_is_not_replaced_by_a_mirrors_table(
    mirror: Path, lab: "Lab", tmp_path: Path
) -> None:
    """Its checksums stand in the manifest on this machine; the table's only in the index."""
    load(tmp_path / "c", mirror, registry=[lab.registry])
    assert not took_table(tmp_path / "c")


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes keys with openssl")
def test_unless_a_key_of_the_user_has_signed_it(
    mirror: Path, lab: "Lab", dshub: Run, tmp_path: Path
) -> None:
    """Then the signature vouches for the table as the manifest does for the files."""
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    for arguments in (
        ["genpkey", "-algorithm", "ed25519", "-out", str(private)],
        ["pkey", "-in", str(private), "-pubout", "-out", str(public)],
    ):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
    registry = {"DSHUB_REGISTRY": str(lab.registry)}
    dshub("mirror", "s", "lab/mnist", "--prepared", "--sign", str(private), **registry)
    load(tmp_path / "c", tmp_path / "s", registry=[lab.registry], mirror_keys=[public])
    assert took_table(tmp_path / "c")


def test_tables_stay_when_files_are_updated(mirror: Path, dshub: Run, lab: "Lab") -> None:
    """A run without --prepared forgets nothing, and --prune knows what belongs to a table."""
    before = sorted((mirror / "tables-v1").rglob("*"))
    assert before
    dshub("mirror", "m", "lab/mnist", "--prune", DSHUB_REGISTRY=str(lab.registry))
    after = sorted((mirror / "tables-v1").rglob("*"))
    index = json.loads((mirror / "index.json").read_text())
    assert bool(after) == bool(index["datasets"][0]["tables"])
    assert after == before


def test_a_table_of_other_rows_is_not_used(mirror: Path, tmp_path: Path) -> None:
    """An index that names the table of another split as this one's is not believed."""
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
