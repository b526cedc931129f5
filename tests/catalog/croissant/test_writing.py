"""Test writing imported content as TOML."""

import tomllib
from typing import Any

import pytest

from dshub.catalog.croissant.importing import Imported

pytest.importorskip("tomlkit")

from dshub.catalog.croissant.writing import to_toml

CONTENT: dict[str, Any] = {
    "schema": 1,
    "name": "own",
    "version": "1.0.0",
    "title": 'A "title"',
    "license": {"spdx": "MIT"},
    "resources": {"rows": {"urls": ["https://data.example/rows"], "size": 3}},
    "features": {"label": {"kind": "label", "names": [f"class {i}" for i in range(20)]}},
    "splits": {
        "train": {
            "reader": {"format": "json", "columns": {"label": "a"}},
            "files": {"rows": "rows"},
            "steps": [{"step": "rename", "columns": {"a": "label"}}],
        }
    },
    "citations": [{"type": "misc", "key": "k", "title": "t", "author": ["A B"]}],
}


def test_content_is_written_as_toml() -> None:
    text = to_toml(Imported(CONTENT))
    assert tomllib.loads(text) == CONTENT
    tables = ["[license]", "[resources.rows]", "[features.label]", "[splits.train]"]
    assert [line for line in text.splitlines() if line[:1] == "["] == [*tables, "[[citations]]"]


def test_long_list_takes_several_lines() -> None:
    lines = to_toml(Imported(CONTENT)).splitlines()
    assert max(map(len, lines)) < 100
    assert '    "class 7",' in lines
