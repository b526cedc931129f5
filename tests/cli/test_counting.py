"""Test `dshub croissant --import`: complete a manifest from local files."""

import hashlib
import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from dshub import Registry
from tests.cli.test_croissant import TEST, TRAIN, document, run_in_process

__all__ = ["document", "run_in_process"]  # fixtures that tests use by name

Run = Callable[..., subprocess.CompletedProcess[str]]

pytest.importorskip("tomlkit")


def test_local_files_complete_the_manifest(
    run_in_process: Run, document: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "files" / "below"
    folder.mkdir(parents=True)
    (folder / "train.csv").write_bytes(TRAIN)
    partly = json.loads(
        run_in_process(
            "croissant", "--import", str(document), str(tmp_path / "files"), "--json"
        ).stdout
    )
    assert any("test.csv" in note["message"] for note in partly["notes"] if note["id"] == "test")
    (folder / "test.csv").write_bytes(TEST)
    manifest = tmp_path / "1.0.0.toml"
    done = run_in_process("croissant", "--import", str(document), str(folder), "-o", str(manifest))
    assert done.returncode == 0
    assert "number of rows" not in done.stderr
    assert run_in_process("check", str(manifest)).returncode == 0
    imported = Registry().manifest(str(manifest))
    assert {name: split.rows for name, split in imported.splits.items()} == {"train": 2, "test": 1}
    assert imported.resources["test-csv"].sha256 == hashlib.sha256(TEST).hexdigest()
    assert imported.resources["train-csv"].size == len(TRAIN)


def test_local_file_with_another_checksum_is_not_used(
    run_in_process: Run, document: Path, tmp_path: Path
) -> None:
    (tmp_path / "train.csv").write_bytes(TRAIN + b"d,4\n")
    done = run_in_process("croissant", "--import", str(document), str(tmp_path / "train.csv"))
    content = tomllib.loads(done.stdout)
    assert content["resources"]["train-csv"]["sha256"] == hashlib.sha256(TRAIN).hexdigest()
    assert "rows" not in content["splits"]["train"]
    assert "differs from the document" in done.stderr


def test_rows_of_an_unreadable_file_are_not_counted(
    run_in_process: Run, document: Path, tmp_path: Path
) -> None:
    (tmp_path / "test.csv").write_bytes(b"said,number\nc,3\n")
    done = run_in_process("croissant", "--import", str(document), str(tmp_path / "test.csv"))
    assert "rows" not in tomllib.loads(done.stdout)["splits"]["test"]
    assert "note: test: rows could not be counted" in done.stderr
