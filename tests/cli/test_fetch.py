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
from dshub.cache.store import Store
from dshub.checksums import Digest

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


def test_missing_source_is_named_before_the_download(dshub: Run, registry: Path) -> None:
    done = dshub("fetch", "tiny", "--from", "/nowhere/d", "--dry-run")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: --from is '/nowhere/d'; it must be a folder that exists, or the URL of a mirror",
        "hint: check the path, connect the drive, or begin the URL of a mirror with https://",
    ]


def test_source_that_is_a_file_suggests_import(dshub: Run, registry: Path, upstream: Path) -> None:
    done = dshub("fetch", "tiny", "--from", str(upstream / "images.idx"))
    assert "`dshub import NAME FILE`" in done.stderr


def test_missing_mirror_is_named(dshub: Run, registry: Path, upstream: Path) -> None:
    """Other sources are tried, and the error names the mirror if none of them works."""
    variables = {"DSHUB_MIRROR": "/nowhere/mirror"}
    done = dshub("fetch", "tiny/one", **variables)
    assert done.returncode == 0
    assert "the mirror /nowhere/mirror does not exist; check DSHUB_MIRROR\n" in done.stderr
    assert "No such file" not in done.stdout + done.stderr
    (upstream / "labels-two.idx").unlink()
    done = dshub("fetch", "tiny/two", **variables)
    assert done.returncode == 4
    assert "    the mirror /nowhere/mirror does not exist\n" in done.stderr
    assert "connect the drive of /nowhere/mirror" in done.stderr
    offline = dshub("fetch", "tiny/two", DSHUB_OFFLINE="1", **variables)
    assert "the mirror /nowhere/mirror, which does not exist" in offline.stderr


def test_plan_counts_bytes_of_an_interrupted_download(
    dshub: Run, registry: Path, cache: Path, upstream: Path
) -> None:
    digest = Digest.of_file(upstream / "images.idx")
    with Store(cache).partial(digest) as partial:
        span = partial.claim(28)
        assert span is not None
        partial.write(span, memoryview((upstream / "images.idx").read_bytes()[:20]))
    planned = dshub("fetch", "tiny/one", "--dry-run")
    assert planned.stderr.startswith(
        "tiny/one@1.0.0: 2 files to fetch, 19 B, 20 B already on disk\ntables take 36 B;"
    )
    done = dshub("fetch", "tiny/one")
    assert re.search(r": 19 B in \S+ s.* \(20 B were on disk\)\n", done.stdout)
    again = dshub("fetch", "tiny/one", "--dry-run")
    assert again.stderr.startswith("tiny/one@1.0.0: nothing to fetch, 2 cached\n")
    assert "tables take" not in again.stderr


def test_output_folder_gets_the_upstream_files(
    dshub: Run, registry: Path, upstream: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    done = dshub("fetch", "tiny/one", "--no-prepare", "--output-dir", str(folder))
    names = ["images.idx", "labels-one.idx"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        assert (folder / name).read_bytes() == (upstream / name).read_bytes()
        assert f"  {folder / name}  " in done.stdout
    again = json.loads(dshub("fetch", "tiny/one", "--output-dir", str(folder), "--json").stdout)
    assert [item["how"] for item in again["outputs"]] == ["kept", "kept"]


def test_other_file_in_the_output_folder_stays_unless_forced(
    dshub: Run, registry: Path, cache: Path, upstream: Path, tmp_path: Path
) -> None:
    path = tmp_path / "images.idx"
    path.write_bytes(b"mine")
    done = dshub("fetch", "tiny/one", "--output-dir", str(tmp_path))
    assert done.returncode == 8
    assert f"cannot write {path}: it exists and differs from the file of the dataset" in done.stderr
    assert path.read_bytes() == b"mine"
    assert not cache.exists()  # the check precedes the download
    assert dshub("fetch", "tiny/one", "--output-dir", str(tmp_path), "--force").returncode == 0
    assert path.read_bytes() == (upstream / "images.idx").read_bytes()


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
imported = set({absent!r}.split()) & set(sys.modules)
assert not imported, imported
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
