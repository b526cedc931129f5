"""Test `dshub verify`: check cached files and tables, and published figures."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.manifests import save_manifest
from tests.photos import CUT, photos

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_verify_reports_nothing_cached(dshub: Run, registry: Path) -> None:
    done = dshub("verify", "tiny/one")
    assert done.returncode == 1
    assert "`dshub fetch tiny/one`" in done.stderr


def test_verify_reports_damage_that_fetch_replaces(dshub: Run, registry: Path, cache: Path) -> None:
    """The damaged file is moved aside, so a fetch replaces it."""
    dshub("fetch", "tiny/one")
    intact = dshub("verify", "tiny/one")
    assert (intact.returncode, intact.stderr) == (0, "")
    states = {line.split()[0] for line in intact.stdout.splitlines()}
    assert states == {"ok"}
    blob = max((cache / "blobs-v1").glob("*/*"), key=lambda path: path.stat().st_size)
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    damaged = dshub("verify", "tiny/one", "--json")
    findings = json.loads(damaged.stdout)["findings"]
    assert damaged.returncode == 5
    assert [item["thing"] for item in findings if item["state"] == "damaged"] == ["file images"]
    assert dshub("fetch", "tiny/one").returncode == 0
    assert dshub("verify", "tiny/one").returncode == 0


def test_decode_lists_bad_files_by_name(dshub: Run, tmp_path: Path, cache: Path) -> None:
    """Published files are the right bytes, and still cannot be decoded."""
    path = save_manifest(photos(tmp_path / "upstream"), tmp_path / "manifests")
    dshub("import", str(path), str(tmp_path / "upstream"))
    dshub("prepare", str(path))
    plain = dshub("verify", str(path))
    assert plain.returncode == 0
    done = dshub("verify", "--decode", str(path))
    assert done.returncode == 9
    assert f"images.tar:train/{CUT}" in done.stdout
    assert "2 of 10 files cannot be decoded" in done.stdout
    assert 'on_error="skip"' in done.stderr

    answer = json.loads(dshub("verify", "--decode", str(path), "--split", "test", "--json").stdout)
    assert [(item["split"], item["row"], item["column"]) for item in answer["bad"]] == [
        ("test", 0, "image"),
        ("test", 6, "image"),
    ]
    assert answer["bad"][1]["file"] == f"images.zip:photos/{CUT}"
    states = {item["thing"]: item["state"] for item in answer["findings"]}
    assert (states["image of test"], states["image of test, row 6"]) == ("bad", "bad")


def test_decode_needs_prepared_tables_and_existing_splits(
    dshub: Run, registry: Path, tmp_path: Path
) -> None:
    missing = dshub("verify", "--decode", "tiny/one")
    assert (missing.returncode, "`dshub fetch tiny/one`" in missing.stderr) == (1, True)
    unknown = dshub("verify", "--decode", "tiny/one", "--split", "trian")
    assert (unknown.returncode, "did you mean train?" in unknown.stderr) == (3, True)
    dshub("fetch", "tiny/one")
    assert dshub("verify", "--decode", "tiny/one").returncode == 0  # raw images need no decoder
