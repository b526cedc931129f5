"""Getting files: from a server, from a folder, made up, or not at all."""

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

LABELS = [0, 1, 0]  # of tiny/one, as its file was written


def labels(cache: Path, own: Path) -> list[int]:
    """The labels of `tiny/one` as a user loads them, with no connection allowed."""
    settings = Settings.read(cache=cache, registry=[own], offline=True)
    return [int(label) for label in Hub(settings=settings).load("tiny/one", "train")["label"]]


def test_second_fetch_uses_the_cache(dshub: Run, own: Path, cache: Path) -> None:
    first = json.loads(dshub("fetch", "tiny/one", "--json").stdout)
    second = json.loads(dshub("fetch", "tiny/one", "--json").stdout)
    assert (len(first["fetched"]), len(second["fetched"])) == (2, 0)
    assert [item["source"] for item in second["files"]] == ["cache", "cache"]
    assert labels(cache, own) == LABELS


def test_dry_run_lists_missing_files(dshub: Run, own: Path, cache: Path) -> None:
    planned = json.loads(dshub("fetch", "tiny", "--dry-run", "--json").stdout)
    assert not cache.exists()
    fetched = json.loads(dshub("fetch", "tiny", "--no-prepare", "--json").stdout)
    assert {item["digest"] for item in planned["missing"]} == set(fetched["fetched"])
    assert fetched["tables"] == []


def test_dry_run_names_the_source_that_is_tried_first(dshub: Run, own: Path) -> None:
    command, mirror = ["fetch", "tiny/one", "--dry-run"], "https://mirror.example"
    plain, offline = dshub(*command), dshub(*command, DSHUB_OFFLINE="1")
    assert plain.stdout.count("/images.idx\n") == 1
    assert "http" not in offline.stdout
    for done in (dshub(*command, DSHUB_MIRROR=mirror), dshub(*command, "--from", mirror)):
        assert [line.split()[-1] for line in done.stdout.splitlines()] == [mirror] * 2


def test_import_recognizes_files_and_reports_missing_ones(
    dshub: Run, own: Path, cache: Path, upstream: Path, tmp_path: Path
) -> None:
    """Other files are rejected and leave nothing; the right ones make the dataset loadable."""
    wrong = tmp_path / "downloads"
    wrong.mkdir()
    (wrong / "images.idx").write_bytes(b"x" * 28)
    (wrong / "labels-one.idx").write_bytes(gzip.compress(b"no labels"))
    done = dshub("import", "tiny/one", str(wrong))
    assert done.returncode == 1
    assert "damaged: of the right size" in done.stdout
    assert "missing" in done.stdout
    assert "images" in done.stderr
    assert "labels" in done.stderr
    assert not list(cache.glob("blobs-v1/*/*"))
    shutil.copy(upstream / "images.idx", wrong / "some-name")
    answer = json.loads(dshub("import", "tiny/one", str(wrong), "--json").stdout)
    assert [item["name"] for item in answer["imported"]] == ["images"]
    assert [item["name"] for item in answer["missing"]] == ["labels"]
    assert dshub("import", "tiny/one", str(upstream), DSHUB_OFFLINE="1").returncode == 0
    assert labels(cache, own) == LABELS


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


def test_damaged_synthetic_data_is_made_again(dshub: Run, cache: Path) -> None:
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
    own: Path, tmp_path: Path, code: str, absent: str
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


def test_failed_attempts_are_reported(dshub: Run, own: Path, tmp_path: Path) -> None:
    """A dead mirror is named in a line and in JSON, without its password."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{held.getsockname()[1]}"
        mirror = f"http://me:secret@{dead}"
        done = dshub("fetch", "tiny", DSHUB_MIRROR=mirror)
        again = dshub(
            "fetch", "tiny", "--json", DSHUB_MIRROR=mirror, DSHUB_CACHE=str(tmp_path / "another")
        )
    assert done.returncode == again.returncode == 0
    assert re.search(rf"^  not from {dead}: cannot connect", done.stdout, re.MULTILINE)
    attempts = [told for item in json.loads(again.stdout)["files"] for told in item["attempts"]]
    assert attempts
    assert all(dead in told and "cannot connect" in told for told in attempts)
    assert "secret" not in done.stdout + done.stderr + again.stdout + again.stderr


def test_lock_does_not_make_fetching_heavy(dshub: Run, own: Path, tmp_path: Path) -> None:
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
