"""Test importing Croissant documents of other programs."""

import time
from pathlib import Path
from typing import Any

import pytest

from dshub.catalog.croissant.importing import from_croissant, read_croissant
from dshub.errors import ManifestError
from tests.catalog.croissant.documents import TABLE, document, field, notes_of, read

pytest.importorskip("mlcroissant")


def test_facts_about_the_dataset_are_imported() -> None:
    facts: dict[str, Any] = {
        "name": {"en": "Some Name", "de": "Ein Name"},
        "https://schema.org/description": "Two\n lines.",
        "version": "2.1",
        "license": "https://creativecommons.org/licenses/by-sa/4.0/",
        "cr:citeAs": "@misc{key2020, title={A title}}",
        "url": "https://data.example/",
    }
    imported = from_croissant(document(**facts), source="test")
    assert "@misc{key2020, title={A title}}" in notes_of(imported)[""]
    content = imported.content
    assert content["name"] == "some-name"
    assert content["version"] == "2.1.0"
    assert content["summary"] == "Two lines."
    assert content["license"]["spdx"] == "CC-BY-SA-4.0"
    facts["license"] = "https://data.example/terms"
    imported = from_croissant(document(**facts), source="test")
    assert "spdx" not in imported.content["license"]
    assert "https://data.example/terms" in imported.content["license"]["note"]


def test_invalid_document_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "croissant.json"
    for content in (b"{", b"\xff", b"[]", b"3", b'{"@type": "Person"}', b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ManifestError, match=r"croissant\.json"):
            read_croissant(path)
    with pytest.raises(ManifestError):
        read_croissant(tmp_path / "nothing.json")
    deep: Any = {}
    for _ in range(5000):
        deep = {"x": deep}
    with pytest.raises(ManifestError, match="deeply"):
        from_croissant(document(name="deep", x=deep), source="test")


def test_repository_of_hugging_face_gets_a_note() -> None:
    """Hugging Face documents list file patterns of a repository, without checksums."""
    facts: dict[str, Any] = {
        "name": "squad",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "repo",
                "contentUrl": "https://huggingface.co/datasets/squad/tree/refs%2Fconvert%2Fparquet",
                "encodingFormat": "git+https",
                "sha256": "https://github.com/mlcommons/croissant/issues/80",
            },
            {
                "@type": "cr:FileSet",
                "@id": "parquet-files",
                "containedIn": {"@id": "repo"},
                "encodingFormat": "application/x-parquet",
                "includes": "plain_text/*/*.parquet",
            },
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "splits",
                "dataType": "cr:Split",
                "field": [{"@type": "cr:Field", "@id": "splits/name", "dataType": "sc:Text"}],
                "data": [{"splits/name": "train"}],
            },
            {
                "@type": "cr:RecordSet",
                "@id": "plain_text",
                "field": [
                    field(
                        "split", "sc:Text", "parquet-files", of="fileSet", fileProperty="fullpath"
                    )
                    | {"references": {"field": {"@id": "splits/name"}}},
                    field("title", "sc:Text", "parquet-files", of="fileSet", column="title"),
                ],
            },
        ],
    }
    imported = from_croissant(document(**facts), source="test")
    notes = notes_of(imported)
    assert "repository" in notes["repo"]
    assert "splits" in notes["rows/split"]
    assert imported.content["resources"] == {}
    assert imported.content["features"] == {"title": {"kind": "text"}}
    reader = {"format": "parquet", "columns": {"title": "title"}}
    assert imported.content["splits"]["plain_text"] == {"reader": reader}


def test_any_license_is_read_in_linear_time() -> None:
    cases = {
        "(MIT-0 OR Apache-2.0) AND BSD-3-Clause": True,
        "MIT OR LicenseRef-own WITH Zlib": True,
        "1" * 200_000 + "!": False,
        "(" * 200_000: False,
        "a.1-" * 50_000 + " OR": False,
        "MIT AND " * 50_000: False,
    }
    began = time.process_time()
    for text, is_expression in cases.items():
        license_ = read(TABLE, license=text).content["license"]
        assert ("spdx" in license_) == is_expression
    assert time.process_time() - began < 2
