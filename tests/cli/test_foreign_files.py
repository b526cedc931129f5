"""Test that files of Finder, Explorer and NFS in caches and mirrors are kept."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import dshub
from dshub.cache import paths as layout
from dshub.cli import group

Files = dict[Path, bytes]
Command = Callable[..., object]

STRAYS = (".DS_Store", "._1.0.0.toml", ".nfs000000000001", "Thumbs.db", "desktop.ini")
BUCKETS = [getattr(layout, name) for name in ["BLOBS", "PARTIAL", "TABLES", "SYNTHETIC"]]
BUCKETS += [getattr(layout, name) for name in ["PINS", "MIRRORS", "TERMS", "REFERENCES", "IMPORTS"]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command in this process and returns its JSON answer."""

    def command(*arguments: str) -> object:
        capsys.readouterr()
        group([*arguments, "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    return command


def files_below(root: Path) -> Files:
    """Return every file except locks, with its content."""
    return {
        path: path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def write_strays(root: Path, buckets: Sequence[str]) -> Files:
    """Write stray files and empty folders into every folder, and return the stray files."""
    for bucket in buckets:
        (root / bucket).mkdir(exist_ok=True)
    strays: Files = {}
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for name in STRAYS:
            strays[folder / name] = b"\0\xffnot ours"
        (folder / ".fseventsd").mkdir()
        (folder / "new folder").mkdir()
    for path, data in strays.items():
        path.write_bytes(data)
    return strays


@pytest.fixture
def cache_files(registry: Path, upstream: Path, cache: Path, run: Command) -> Files:
    """Fill every bucket of a cache and return its files."""
    run("fetch", "tiny")
    run("cache", "pin", "tiny/two")
    labels = str(upstream / "labels-one.idx")
    run("cache", "rm", "tiny/one", "--raw")
    run("import", "tiny/one", labels, "--reference")
    dshub.load("tiny/one", "train", synthetic=5)
    (cache / layout.TERMS / "tiny").mkdir(parents=True)
    (cache / layout.TERMS / "tiny" / "one.accepted").write_text("yes")
    (cache / layout.PARTIAL / ("0" * 64)).mkdir()
    (cache / layout.PARTIAL / ("0" * 64) / "data").write_bytes(b"beginning")
    return files_below(cache)


def test_files_of_other_programs_in_a_cache_are_kept(
    cache_files: Files, cache: Path, run: Command
) -> None:
    strays = write_strays(cache, BUCKETS)
    everything = cache_files | strays
    listed = run("cache", "ls")
    assert isinstance(listed, dict)
    other_paths = {item["path"] for item in listed["items"] if item["kind"] == "other"}
    for bucket in BUCKETS:
        assert {str(cache / bucket / name) for name in STRAYS} <= other_paths
    assert str(cache / "tables-v1" / "tiny" / "one" / ".DS_Store") in other_paths
    assert not other_paths & set(map(str, cache_files))
    usage = run("cache", "du")
    assert isinstance(usage, dict)
    assert usage["total"]["total"] == listed["size"]
    verified = run("cache", "verify")
    assert isinstance(verified, dict)
    assert {finding["state"] for finding in verified["findings"]} == {"ok"}
    for arguments in ("gc", "prune --max-size 1TB", "prune --older-than 1d", "rm --partial"):
        removed = run("cache", *arguments.split())
        assert isinstance(removed, dict)
        paths = [Path(item["path"]) for item in removed["removed"]]
        assert all(layout.PARTIAL in path.parts for path in paths)
        removed_paths = {
            path for path in everything if any(path.is_relative_to(registry) for registry in paths)
        }
        everything = {path: data for path, data in everything.items() if path not in removed_paths}
        assert everything.items() <= files_below(cache).items()
    run("cache", "unpin", "tiny/two")
    run("cache", "pin", "tiny/two")
    run("fetch", "tiny")
    assert list(dshub.load("tiny/one", "train")["label"]) == [0, 1, 0]
    run("cache", "rm", "tiny/one")
    assert list(dshub.load("tiny/two", "train")["label"]) == [1, 1, 0]
    assert cache / "tables-v1" / "tiny" / "one" / ".DS_Store" in files_below(cache)
