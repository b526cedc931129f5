"""Test `dshub fetch` and `dshub import` with servers, local folders and synthetic data."""

import gzip
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub import Hub, Settings

Run = Callable[..., subprocess.CompletedProcess[str]]

LABELS = [0, 1, 0]  # the labels of tiny/one


def labels(cache: Path, registry: Path) -> list[int]:
    """Load the labels of `tiny/one` from the cache, offline."""
    settings = Settings.read(cache=cache, registry=[registry], offline=True)
    return [int(label) for label in Hub(settings=settings).load("tiny/one", "train")["label"]]


def test_second_fetch_uses_the_cache(dshub: Run, registry: Path, cache: Path) -> None:
    first = json.loads(dshub("fetch", "tiny/one", "--json").stdout)
    second = json.loads(dshub("fetch", "tiny/one", "--json").stdout)
    assert (len(first["fetched"]), len(second["fetched"])) == (2, 0)
    assert [item["source"] for item in second["files"]] == ["cache", "cache"]
    assert labels(cache, registry) == LABELS


def test_dry_run_lists_missing_files(dshub: Run, registry: Path, cache: Path) -> None:
    planned = json.loads(dshub("fetch", "tiny", "--dry-run", "--json").stdout)
    assert not cache.exists()
    fetched = json.loads(dshub("fetch", "tiny", "--no-prepare", "--json").stdout)
    assert {item["digest"] for item in planned["missing"]} == set(fetched["fetched"])
    assert fetched["tables"] == []


def test_dry_run_names_the_source_that_is_tried_first(dshub: Run, registry: Path) -> None:
    command, mirror = ["fetch", "tiny/one", "--dry-run"], "https://mirror.example"
    plain, offline = dshub(*command), dshub(*command, DSHUB_OFFLINE="1")
    assert plain.stdout.count("/images.idx\n") == 1
    assert "http" not in offline.stdout
    for done in (dshub(*command, DSHUB_MIRROR=mirror), dshub(*command, "--from", mirror)):
        assert [line.split()[-1] for line in done.stdout.splitlines()] == [mirror] * 2


def test_import_recognizes_files_and_reports_missing_ones(
    dshub: Run, registry: Path, cache: Path, upstream: Path, tmp_path: Path
) -> None:
    """Wrong files are rejected and not kept."""
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    (downloads / "images.idx").write_bytes(b"x" * 28)
    (downloads / "labels-one.idx").write_bytes(gzip.compress(b"no labels"))
    done = dshub("import", "tiny/one", str(downloads))
    assert done.returncode == 1
    assert "damaged: the size is right" in done.stdout
    assert "missing" in done.stdout
    assert "images" in done.stderr
    assert "labels" in done.stderr
    assert not list(cache.glob("blobs-v1/*/*"))
    shutil.copy(upstream / "images.idx", downloads / "some-name")
    answer = json.loads(dshub("import", "tiny/one", str(downloads), "--json").stdout)
    assert [item["name"] for item in answer["imported"]] == ["images"]
    assert [item["name"] for item in answer["missing"]] == ["labels"]
    assert dshub("import", "tiny/one", str(upstream), DSHUB_OFFLINE="1").returncode == 0
    assert labels(cache, registry) == LABELS


@pytest.mark.parametrize("arguments", ["info mnist", "fetch mnist", "verify mnist"])
def test_synthetic_data_is_labeled(dshub: Run, arguments: str) -> None:
    variables = {"DSHUB_SYNTHETIC": "20", "DSHUB_OFFLINE": "1"}
    dshub("fetch", "mnist", **variables)
    done = dshub(*arguments.split(), **variables)
    assert done.returncode == 0
    assert "20" in done.stdout
    manifest = json.loads(dshub("info", "mnist", "--json", **variables).stdout)["manifest"]
    assert "synthetic" in manifest["version"]
    assert "ynthetic" in manifest["title"]
    assert list(manifest["splits"]) == ["train", "test"]
    assert {split["rows"] for split in manifest["splits"].values()} == {20}


def test_damaged_synthetic_data_is_regenerated(dshub: Run, cache: Path) -> None:
    before = dshub("info", "mnist", "--json", DSHUB_SYNTHETIC="20").stdout
    (kept,) = cache.glob("synthetic-v1/mnist/*.json")
    kept.write_bytes(b"\xff{")
    assert dshub("cache", "ls").returncode == 0
    assert dshub("info", "mnist", "--json", DSHUB_SYNTHETIC="20").stdout == before


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import dshub", "numpy pyarrow msgspec click requests tqdm platformdirs PIL"),
        ("import dshub; dshub.names()", "numpy pyarrow click requests tqdm PIL"),
        ("main('list')", "numpy pyarrow requests tqdm PIL"),
        ("main('info', 'mnist')", "numpy pyarrow tqdm PIL"),
        ("main('search', 'digits')", "numpy pyarrow requests tqdm PIL"),
        ("main('mirror', 'm', 'tiny', '--no-pages')", "numpy pyarrow tqdm PIL"),
        ("main('fetch', 'tiny', '--no-prepare')", "numpy pyarrow tqdm PIL"),
        ("import dshub; dshub.fetch('tiny', prepare=False)", "numpy pyarrow tqdm PIL"),
    ],
)
def test_light_commands_import_no_numpy_or_arrow(
    registry: Path, tmp_path: Path, code: str, absent: str
) -> None:
    script = f"""
import sys
def main(*arguments):
    from dshub.cli import main
    sys.argv = ["dshub", *arguments]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, end.code
{code}
found = set({absent!r}.split()) & set(sys.modules)
assert not found, found
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr


def test_failed_attempts_are_reported(dshub: Run, registry: Path, tmp_path: Path) -> None:
    """Text and JSON name the failing mirror without its password."""
    with socket.socket() as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        unreachable = f"127.0.0.1:{unused_socket.getsockname()[1]}"
        mirror = f"http://me:secret@{unreachable}"
        done = dshub("fetch", "tiny", DSHUB_MIRROR=mirror)
        as_json = dshub(
            "fetch", "tiny", "--json", DSHUB_MIRROR=mirror, DSHUB_CACHE=str(tmp_path / "another")
        )
    assert done.returncode == as_json.returncode == 0
    assert re.search(rf"^  {unreachable} failed: cannot connect", done.stdout, re.MULTILINE)
    attempts = [
        attempt for item in json.loads(as_json.stdout)["files"] for attempt in item["attempts"]
    ]
    assert attempts
    assert all(unreachable in attempt and "cannot connect" in attempt for attempt in attempts)
    assert "secret" not in done.stdout + done.stderr + as_json.stdout + as_json.stderr


def test_lock_does_not_make_fetching_heavy(dshub: Run, registry: Path, tmp_path: Path) -> None:
    assert dshub("lock", "tiny").returncode == 0
    script = """
import sys
from dshub.cli import main
sys.argv = ["dshub", "fetch", "tiny", "--no-prepare"]
try:
    main()
except SystemExit:
    print({"numpy", "pyarrow"} & {*sys.modules})
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path / "work",
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"
