"""Test `dshub preview`: show rows in a terminal, an image or a browser."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commandline import run_on_terminal
from tests.independent.pages import read

Run = Callable[..., subprocess.CompletedProcess[str]]

LINES = """
schema = 1
name = "lines"
version = "1.0.0"
title = "Lines"
summary = "Lines of text."
task = "language-modeling"
homepage = "https://data.example/"

[resources.all]
filename = "lines.txt"
sha256 = "{sha256}"
size = {size}

[features.text]
kind = "text"

[splits.train]
rows = 2
reader = {{ format = "lines" }}
files = {{ text = "all" }}
"""


@pytest.mark.usefixtures("registry")
def test_preview_accepts_slices_in_any_spelling(dshub: Run) -> None:
    dshub("fetch", "tiny/one")
    for arguments in (["Tiny/One:train[1:]"], ["tiny/one", "--split", "Training[1:]"]):
        answer = json.loads(dshub("preview", *arguments, "--json").stdout)
        assert [item["row"] for item in answer["sample"]] == [1, 2]
    assert dshub("preview", "tiny/one:train", "--split", "train").returncode == 2
    assert dshub("preview", "tiny/one:train[:1]+train[2:]").returncode == 2


def test_preview_shows_rows_and_classes(dshub: Run, registry: Path) -> None:
    """The bar of a class is proportional to its number of rows."""
    dshub("fetch", "tiny/one")
    done = dshub("preview", "tiny/one")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["Tiny  tiny/one@1.0.0", "train: 3 of 3 rows"]
    assert [line.split() for line in lines[3:7]] == [
        ["row", "image", "label"],
        ["0", "2×2×1", "cat"],
        ["1", "2×2×1", "dog"],
        ["2", "2×2×1", "cat"],
    ]
    bars = {line.split()[0]: line.count("█") for line in lines[-2:]}
    assert bars == {"cat": 40, "dog": 20}
    assert done.stderr == ""


def test_preview_labels_synthetic_rows(dshub: Run, registry: Path) -> None:
    done = dshub("preview", "tiny/one")
    assert done.stdout.startswith("Synthetic data for Tiny")
    assert "is not prepared" in done.stderr
    assert "`dshub fetch tiny/one`" in done.stderr
    assert json.loads(dshub("preview", "tiny/one", "--json").stdout)["synthetic"] is True


def test_preview_with_synthetic_setting_has_no_note(dshub: Run, registry: Path) -> None:
    done = dshub("preview", "tiny/one", "--json", DSHUB_SYNTHETIC="2")
    answer = json.loads(done.stdout)
    assert (answer["version"], answer["rows"]) == ("1.0.0+synthetic.2", 2)
    assert done.stderr == ""


def test_preview_json_has_the_same_rows(dshub: Run, registry: Path) -> None:
    dshub("fetch", "tiny/one")
    answer = json.loads(dshub("preview", "tiny/one", "--rows", "2", "--json").stdout)
    assert answer["schema"] == 1
    assert (answer["name"], answer["split"], answer["rows"]) == ("tiny/one", "train", 3)
    assert answer["columns"] == ["image", "label"]
    assert [(row["row"], row["values"]["label"]) for row in answer["sample"]] == [
        (0, "cat"),
        (1, "dog"),
    ]
    assert answer["classes"] == {"label": {"cat": 2, "dog": 1}}
    answer = json.loads(dshub("preview", "conll2003", "--rows", "1", "--json").stdout)
    values = answer["sample"][0]["values"]
    assert all(isinstance(word, str) for word in values["tokens"])
    answer = json.loads(dshub("preview", "wine-quality/red", "--rows", "1", "--json").stdout)
    assert isinstance(answer["sample"][0]["values"]["alcohol"], float)


def test_preview_shows_class_counts_of_the_manifest(dshub: Run) -> None:
    """Synthetic rows are not counted if the manifest states class counts."""
    answer = json.loads(dshub("preview", "fashion-mnist", "--json").stdout)
    assert {*answer["classes"]["label"].values()} == {6000}


@pytest.mark.skipif(os.name == "nt", reason="needs pseudo-terminals")
def test_wide_table_leaves_out_middle_columns(registry: Path) -> None:
    done = run_on_terminal(
        "preview", "adult", COLUMNS="80", NO_COLOR="1", DSHUB_SYNTHETIC="20", DSHUB_OFFLINE="1"
    )
    lines = done.stdout.splitlines()
    (head,) = (line for line in lines if line.startswith("row "))
    assert head.split()[:2] == ["row", "age"]
    assert "  …  " in head
    assert head.split()[-1] == "label"
    assert max(map(len, lines)) <= 80
    shown = len(head.split()) - 2
    assert f"{15 - shown} of 15 columns are not shown; --json has all" in lines


def test_png_needs_an_image_column(dshub: Run, tmp_path: Path) -> None:
    done = dshub("preview", "iris", "--png", str(tmp_path / "grid.png"))
    assert done.returncode == 2
    assert "no image column" in done.stderr
    done = dshub("preview", "iris", "--split", "tset")
    assert done.returncode == 3
    assert "no split of iris named 'tset'" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="the browser is a shell script")
def test_open_shows_the_page_in_the_browser(dshub: Run, registry: Path, tmp_path: Path) -> None:
    dshub("fetch", "tiny/one")
    opened_url = tmp_path / "opened-url"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened_url}"\n')
    browser.chmod(0o755)
    done = dshub("preview", "tiny/one", "--open", BROWSER=str(browser), TMPDIR=str(tmp_path))
    page = Path(done.stdout.strip())
    assert opened_url.read_text().strip() == page.as_uri()
    assert read(page).texts("h1") == ["Tiny"]
    assert "synthetic" not in read(page).texts("main")[0]


def test_rows_cannot_control_the_terminal(
    dshub: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"\x1b]0;owned\x07\x1b[31mred\nplain\n"
    (tmp_path / "lines.txt").write_bytes(data)
    path = tmp_path / "1.0.0.toml"
    path.write_text(LINES.format(sha256=hashlib.sha256(data).hexdigest(), size=len(data)))
    dshub("import", str(path), str(tmp_path / "lines.txt"))
    dshub("prepare", str(path))
    done = dshub("preview", str(path))
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert "\ufffd[31mred" in done.stdout
