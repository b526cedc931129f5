"""Test `dshub info`: show the facts of a dataset."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commandline import run_on_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_info_shows_splits_classes_license_and_sizes(dshub: Run) -> None:
    done = dshub("info", "fashion-mnist")
    for fact in ("60,000 rows", "Ankle boot", "MIT", "30.9 MB, 0 of 4 files in the cache"):
        assert fact in done.stdout
    assert "sha256:" not in done.stdout
    assert done.stderr == "`dshub info fashion-mnist --files` shows files, checksums and URLs\n"


def test_info_shows_checksums_and_sources_on_request(dshub: Run) -> None:
    done = dshub("info", "mnist", "--files")
    for fact in ("60,000 rows", "sha256:440fcabf", "https://", "Other layouts for `dshub import`"):
        assert fact in done.stdout
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals here")
def test_info_fits_one_screen(registry: Path) -> None:
    done = run_on_terminal("info", "mnist", COLUMNS="80")
    lines = re.sub(r"\x1b\[[\d;]*m", "", done.stdout).splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert '  ds = load("mnist", split="train")' in lines


@pytest.mark.usefixtures("registry")
def test_info_of_a_family_lists_its_datasets(dshub: Run) -> None:
    done = dshub("info", "Tiny")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["tiny/one", "tiny/two"]
    assert "dshub info tiny/one" in done.stderr
    answer = json.loads(dshub("info", "tiny", "--json").stdout)
    assert [item["name"] for item in answer["datasets"]] == ["tiny/one", "tiny/two"]


@pytest.mark.usefixtures("registry")
def test_info_accepts_slices_in_any_spelling(dshub: Run) -> None:
    answer = dshub("info", "Tiny/ONE:Train[:2]").stdout
    assert "train[:2]" in answer.lower()
    assert "2 rows" in answer
    assert json.loads(dshub("info", "tiny/one", "--json").stdout)["rows"] == {"train": 3}
    assert dshub("info", "tiny/one:test").returncode == 3


def test_info_accepts_paths(dshub: Run, registry: Path) -> None:
    manifest = registry / "tiny" / "one" / "1.0.0.toml"
    for path in (manifest.parent, manifest):
        shown = dshub("info", str(path)).stdout
        assert "tiny/one@1.0.0" in shown
        assert f"ds = load({json.dumps(str(manifest))}, split=" in shown


def test_info_shows_how_to_obtain_manual_files(dshub: Run) -> None:
    """Terms and instructions appear once, and semicolons separate the names of classes."""
    answer = dshub("info", "imagenet-1k").stdout
    assert "1,000 classes: tench, Tinca tinca; goldfish, Carassius auratus; " in answer
    assert "terms " in answer
    assert answer.count("Register at https://image-net.org") == 1
    assert "Other layouts for `dshub import`" in answer  # for users who already have the files


def test_info_shows_limits_that_a_manifest_sets(dshub: Run, registry: Path) -> None:
    path = registry / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text()
    limits = "limits = { unpacked = 300_000_000_000, members = 2_000_000, ratio = 2000 }"
    path.write_text(text.replace("[resources.images]", f"[resources.images]\n{limits}"))
    answer = dshub("info", "tiny/one", "--files").stdout
    assert answer.count("at most 300.0 GB, 2,000,000 members, 2,000 times its size") == 1
    assert "unpacks to" not in dshub("info", "tiny/two", "--files").stdout


def test_info_as_json_has_the_manifest_and_the_cache_state(dshub: Run, registry: Path) -> None:
    before = json.loads(dshub("info", "tiny/one", "--json").stdout)
    assert before["manifest"]["name"] == "tiny/one"
    assert before["versions"] == ["1.0.0"]
    assert before["cached"] == {"images": False, "labels": False}
    dshub("fetch", "tiny/one", "--no-prepare")
    after = json.loads(dshub("info", "tiny/one", "--json").stdout)
    assert after["cached"] == {"images": True, "labels": True}
