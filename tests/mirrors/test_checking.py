import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dshub import Hub, Settings
from dshub.errors import FetchError
from dshub.mirrors.serve.server import serving
from dshub.progress import Silent

if TYPE_CHECKING:
    from tests.mirrors.conftest import Lab

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mirror(dshub: Run, lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a mirror of the three datasets, and unset DSHUB_REGISTRY."""
    assert dshub("mirror", "m", "lab").returncode == 0
    monkeypatch.delenv("DSHUB_REGISTRY")
    return tmp_path / "m"


def largest(mirror: Path) -> Path:
    """Return the largest blob."""
    return max((mirror / "blobs-v1").glob("*/*"), key=lambda path: path.stat().st_size)


def flip(path: Path) -> None:
    """Flip one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


def hub(cache: Path, *mirrors: str) -> Hub:
    settings = Settings.read(environment={}, cache=cache, mirrors=list(mirrors))
    return Hub(settings=settings, progress=Silent())


def owner(mirror: Path, blob: Path) -> str:
    """Return a dataset that needs a blob."""
    index = json.loads((mirror / "index.json").read_text())
    return next(str(e["name"]) for e in index["datasets"] if blob.name in json.dumps(e["files"]))


def test_verify_lists_every_file(dshub: Run, mirror: Path) -> None:
    done = dshub("mirror", "m", "--verify", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["wrong"]) == (0, 0)
    buckets = ("blobs-v1", "registry")
    there = {
        path.relative_to(mirror).as_posix()
        for bucket in buckets
        for path in (mirror / bucket).rglob("*")
        if path.is_file()
    }
    assert {item["name"] for item in answer["files"]} == {*there, "index.json"}


@pytest.mark.parametrize("what", ["blob", "manifest", "registry", "index", "gone", "stray"])
def test_verify_finds_damaged_and_missing_files(dshub: Run, mirror: Path, what: str) -> None:
    stray = mirror / "blobs-v1" / "00" / ("0" * 64)
    manifest = next(p for p in (mirror / "blobs-v1").glob("*/*") if b"schema = 1" in p.read_bytes())
    victim = {
        "blob": largest(mirror),
        "manifest": manifest,
        "registry": mirror / "registry" / "lab" / "mnist" / "1.0.0.toml",
        "index": mirror / "index.json",
        "gone": largest(mirror),
        "stray": stray,
    }[what]
    stray.parent.mkdir(exist_ok=True)
    if what == "stray":
        stray.write_bytes(b"other content")
    elif what == "gone":
        victim.unlink()
    else:
        flip(victim)
    done = dshub("mirror", "m", "--verify", "--json")
    assert done.returncode == 5
    wrong = [item for item in json.loads(done.stdout)["files"] if item["state"] != "ok"]
    assert [item["name"] for item in wrong] == [victim.relative_to(mirror).as_posix()]
    assert wrong[0]["state"] == ("missing" if what == "gone" else "damaged")


def test_update_repairs_files_that_verify_removed(
    dshub: Run, mirror: Path, lab: "Lab", tmp_path: Path
) -> None:
    victim = largest(mirror)
    sound = victim.read_bytes()
    flip(victim)
    done = dshub("mirror", "m", "--verify")
    name = owner(mirror, victim)
    assert f"`dshub mirror m {name}`" in done.stderr
    assert str(victim.relative_to(mirror)) in done.stdout
    assert not victim.exists()
    dshub("mirror", "m", name, DSHUB_REGISTRY=str(lab.registry))
    assert victim.read_bytes() == sound
    assert dshub("mirror", "m", "--verify").returncode == 0


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_read_only_mirror_is_verified(dshub: Run, mirror: Path) -> None:
    victim = largest(mirror)
    flip(victim)
    (mirror / "partial-v1" / "index.lock").unlink()
    (mirror / "partial-v1").rmdir()
    # This file blocks the creation of the folder, as read-only media would.
    (mirror / "partial-v1").write_bytes(b"")
    done = dshub("mirror", "m", "--verify")
    assert done.returncode == 5
    assert "not moved" in done.stdout
    assert victim.exists()


@pytest.mark.parametrize("served", [True, False])
def test_client_falls_back_to_the_second_mirror(
    mirror: Path, tmp_path: Path, *, served: bool
) -> None:
    shutil.copytree(mirror, tmp_path / "second")
    victim = largest(mirror)
    name = owner(mirror, victim)
    flip(victim)
    with serving(mirror) as first, serving(tmp_path / "second") as second:
        places = (first, second) if served else (str(mirror), str(tmp_path / "second"))
        fetched = hub(tmp_path / "c", *places).fetch(name)
    [repaired] = [item for item in fetched if item.path.name == victim.name]
    assert repaired.source.startswith(places[1])
    assert [type(error).__name__ for error in repaired.attempts] == ["ChecksumError"]
    assert (
        repaired.path.read_bytes()
        == (tmp_path / "second" / victim.relative_to(mirror)).read_bytes()
    )


def test_damaged_file_without_another_source_is_an_error(mirror: Path, tmp_path: Path) -> None:
    """Damaged bytes are not cached."""
    victim = largest(mirror)
    name = owner(mirror, victim)
    flip(victim)
    hub_ = hub(tmp_path / "c", str(mirror))
    with pytest.raises(FetchError, match=victim.name) as caught:
        hub_.fetch(name, source=str(mirror))
    assert caught.value.exit_code == 5
    assert not list((tmp_path / "c" / "blobs-v1").rglob(victim.name))


def test_client_falls_back_to_upstream(mirror: Path, lab: "Lab", tmp_path: Path) -> None:
    victim = largest(mirror)
    flip(victim)
    fetched = hub(tmp_path / "c", str(mirror)).fetch(owner(mirror, victim))
    [repaired] = [item for item in fetched if item.path.name == victim.name]
    assert repaired.source.startswith("http://127.0.0.1")


def test_damaged_manifest_comes_from_the_second_mirror(mirror: Path, tmp_path: Path) -> None:
    shutil.copytree(mirror, tmp_path / "second")
    for path in (mirror / "blobs-v1").glob("*/*"):
        if b"schema = 1" in path.read_bytes():
            flip(path)
    with serving(mirror) as first, serving(tmp_path / "second") as second:
        manifest = hub(tmp_path / "c", first, second).info("lab/mnist")
    assert manifest == hub(tmp_path / "c2", str(tmp_path / "second")).info("lab/mnist")


def test_damaged_index_is_not_used(
    mirror: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a second mirror, the error explains why the datasets are unknown."""
    shutil.copytree(mirror, tmp_path / "second")
    index = mirror / "index.json"  # change one letter, so that the file stays valid JSON
    index.write_bytes(index.read_bytes().replace(b"image", b"imagf", 1))
    both = hub(tmp_path / "c", str(mirror), str(tmp_path / "second"))
    assert "lab/mnist" in both.names()
    assert "the index was changed after it was written" in caplog.text
    alone = hub(tmp_path / "c2", str(mirror))
    with pytest.raises(Exception, match=r"index\.json.*was changed after it was written") as caught:
        alone.info("lab/mnist")
    assert getattr(caught.value, "exit_code", 0) == 5
    assert "mnist" in alone.names()  # built-in datasets do not need the mirror


def test_cached_index_is_used_when_the_mirror_is_unreachable(mirror: Path, tmp_path: Path) -> None:
    with serving(mirror) as url:
        hub(tmp_path / "c", url).load("lab/mnist", "train")
    later = hub(tmp_path / "c", url)
    labels = later.load("lab/mnist", "train")["label"]
    assert len(labels) == 40
    assert {"lab/kmnist", "lab/letters", "lab/mnist"} <= set(later.names())


def test_loading_a_prepared_split_opens_no_connection(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(mirror) as url:
        hub(tmp_path / "c", url).load("lab/mnist", "train")
    monkeypatch.setattr(socket, "socket", None)
    assert len(hub(tmp_path / "c", url).load("lab/mnist", "train[:10]")) == 10


def test_changed_index_is_read_by_the_next_process(mirror: Path, tmp_path: Path) -> None:
    with serving(mirror) as url:
        assert "lab/mnist" in hub(tmp_path / "c", url).names()
        assert "lab/mnist" in hub(tmp_path / "c", url).names()
        empty = {"schema": 1, "sha256": hashlib.sha256(b"[]").hexdigest(), "datasets": []}
        (mirror / "index.json").write_text(json.dumps(empty, separators=(",", ":")))
        assert "lab/mnist" not in hub(tmp_path / "c", url).names()
