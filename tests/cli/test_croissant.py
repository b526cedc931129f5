"""Test `dshub croissant`: export and import documents."""

import hashlib
import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dshub import Registry
from dshub.catalog.croissant.vocabulary import CONFORMS, context
from dshub.cli import main

Run = Callable[..., subprocess.CompletedProcess[str]]

pytest.importorskip("tomlkit")


@pytest.fixture
def run_in_process(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command in this process, which imports mlcroissant once."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr("sys.argv", ["dshub", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, printed.out, printed.err)

    return run


def test_dataset_is_exported(dshub: Run) -> None:
    printed = dshub("croissant", "mnist", "--version", "1.0")
    assert (printed.returncode, printed.stderr) == (0, "")
    document = json.loads(printed.stdout)
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"


def test_exported_document_is_imported_unchanged(run_in_process: Run, tmp_path: Path) -> None:
    pytest.importorskip("mlcroissant")
    path, manifest = tmp_path / "croissant.json", tmp_path / "new" / "1.0.0.toml"
    assert run_in_process("croissant", "mnist", "-o", str(path)).returncode == 0
    done = run_in_process("croissant", "--import", str(path), "-o", str(manifest))
    assert (done.returncode, done.stdout) == (0, "")
    assert run_in_process("check", str(manifest)).returncode == 0
    assert Registry().manifest(str(manifest)) == Registry().manifest("mnist")


def test_mirror_urls_contain_checksums(dshub: Run) -> None:
    done = dshub("croissant", "mnist", "--mirror", "https://mirror.example/", "--json")
    files = json.loads(done.stdout)["croissant"]["distribution"]
    sha256 = files[0]["sha256"]
    assert files[0]["contentUrl"] == f"https://mirror.example/blobs-v1/{sha256[:2]}/{sha256}"


@pytest.mark.parametrize(
    "reader",
    [
        '{ format = "folder" }',
        '{ format = "folder", path = 5 }',
        '{ format = "json" }',
        '{ format = "json", columns = "x" }',
        '{ format = "json", columns = { image = "i" }, rows = 5 }',
        '{ format = "mat", columns = [1] }',
    ],
)
def test_faulty_reader_options_are_reported(
    registry: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    path = registry / "tiny" / "one" / "1.0.0.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('{ format = "idx" }', reader), encoding="utf-8")
    for command in ("croissant", "check"):
        monkeypatch.setattr("sys.argv", ["dshub", command, "tiny/one"])
        with pytest.raises(SystemExit, match="1"):
            main()
        printed = capsys.readouterr()
        assert "splits.train.reader: " in printed.out + printed.err


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Write a document with two tables, the second without checksum and size."""
    pytest.importorskip("mlcroissant")

    def file(name: str, **facts: str) -> dict[str, Any]:
        node = {"@type": "cr:FileObject", "@id": name, "encodingFormat": "text/csv"}
        return node | {"contentUrl": f"https://data.example/{name}", **facts}

    def rows(name: str) -> dict[str, Any]:
        fields = [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "dataType": kind,
                "source": {"fileObject": {"@id": f"{name}.csv"}, "extract": {"column": column}},
            }
            for column, kind in {"said": "sc:Text", "count": "sc:Integer"}.items()
        ]
        return {"@type": "cr:RecordSet", "@id": name, "field": fields}

    content = {
        "@context": context("1.1"),
        "@type": "sc:Dataset",
        "conformsTo": f"{CONFORMS}1.1",
        "name": "Own",
        "version": "1.0.0",
        "description": "Words.",
        "url": "https://data.example",
        "distribution": [
            file("train.csv", sha256=hashlib.sha256(TRAIN).hexdigest()),
            file("test.csv", sha256="a placeholder"),
        ],
        "recordSet": [rows("train"), rows("test")],
    }
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    return path


TRAIN, TEST = b"said,count\na,1\nb,2\n", b"said,count\nc,3\n"


def test_missing_facts_get_notes(run_in_process: Run, document: Path) -> None:
    done = run_in_process("croissant", "--import", str(document))
    assert done.returncode == 0
    content = tomllib.loads(done.stdout)
    assert "sha256" not in content["resources"]["test-csv"]
    assert "rows" not in content["splits"]["train"]
    assert "note: test.csv: its sha256 is not a checksum" in done.stderr
    assert "missing: train: no number of rows" in done.stderr
    answer = json.loads(run_in_process("croissant", "--import", str(document), "--json").stdout)
    assert "test.csv" in {note["id"] for note in answer["notes"]}
    assert {note["id"] for note in answer["missing"]} == {"train", "test", "test-csv"}


def test_context_with_fewer_terms_logs_no_warning(
    run_in_process: Run, document: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """mlcroissant would warn of each term that a valid document leaves out."""
    content = json.loads(document.read_text())
    del content["@context"]["parentField"]
    document.write_text(json.dumps(content))
    assert run_in_process("croissant", "--import", str(document)).returncode == 0
    assert not caplog.records


def test_invalid_arguments_are_errors(run_in_process: Run, document: Path, tmp_path: Path) -> None:
    for arguments in (["mnist", "kmnist"], [], ["--import", str(document), "--mirror", "x"]):
        assert run_in_process("croissant", *arguments).returncode == 2
    assert run_in_process("croissant", "mnits").returncode == 3
    path = tmp_path / "1.0.0.toml"
    path.write_text("mine")
    done = run_in_process("croissant", "--import", str(document), "-o", str(path))
    assert (done.returncode, path.read_text()) == (8, "mine")
    path.write_text("{")
    assert run_in_process("croissant", "--import", str(path)).returncode == 1
