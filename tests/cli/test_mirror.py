"""Test `dshub mirror`: write and verify a mirror; `tests/mirrors` covers the details."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_mirror_serves_its_datasets(dshub: Run, registry: Path, tmp_path: Path) -> None:
    """A client with an empty cache and no registry fetches from the mirror alone."""
    place = str(tmp_path / "mirror")
    answer = json.loads(dshub("mirror", place, "tiny/one", "--json", "--no-pages").stdout)
    assert answer["listed"] == ["tiny/one@1.0.0"]
    client = {"DSHUB_CACHE": str(tmp_path / "other"), "DSHUB_REGISTRY": "", "DSHUB_MIRROR": place}
    assert dshub("fetch", "tiny/one", **client).returncode == 0


def test_damaged_mirror_is_reported_with_the_repair(
    dshub: Run, registry: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mirror"
    dshub("mirror", str(place), "tiny/one", "--no-pages")
    blob = next(path for path in (place / "blobs-v1").rglob("*") if path.is_file())
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    done = dshub("mirror", str(place), "--verify")
    assert done.returncode == 5
    assert f"`dshub mirror {place} tiny/one` to restore" in done.stderr
    assert json.loads(dshub("mirror", str(place), "--verify", "--json").stdout)["wrong"] == 1


def test_incomplete_mirror_is_an_error_after_the_answer(
    dshub: Run, registry: Path, upstream: Path, tmp_path: Path
) -> None:
    """The answer lists the complete datasets."""
    (upstream / "labels-two.idx").unlink()
    done = dshub("mirror", str(tmp_path / "mirror"), "tiny", "--json", "--no-pages")
    assert done.returncode == 4
    assert json.loads(done.stdout)["listed"] == ["tiny/one@1.0.0"]
    assert json.loads(done.stderr)["type"] == "FetchError"


@pytest.mark.parametrize(
    "arguments",
    [
        [""],
        ["m"],
        ["m", "--all", "mnist"],
        ["m", "--verify", "mnist"],
        ["m", "--all", "--limit-rate", "no"],
        ["m", "--all", "--limit-rate", "0"],
    ],
)
def test_wrong_arguments_are_usage_errors(dshub: Run, arguments: list[str]) -> None:
    assert dshub("mirror", *arguments).returncode == 2
