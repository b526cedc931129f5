"""Test importing files and references to them."""

import base64
import time
from typing import Any

import pytest

from dshub.errors import ManifestError
from tests.catalog.croissant.documents import SHA, field, file, notes_of, read

pytest.importorskip("mlcroissant")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (SHA, SHA),
        (SHA.upper(), SHA),
        (base64.b64encode(bytes.fromhex(SHA)).decode(), SHA),
        ("https://github.com/mlcommons/croissant/issues/80", None),
        ("ab" * 16, None),
    ],
)
def test_only_valid_checksums_are_imported(form: str, expected: str | None) -> None:
    files = [file("rows.csv", "text/csv", sha256=form)]
    imported = read(files, field("a", "sc:Text", "rows.csv", column="a"))
    assert imported.content["resources"]["rows-csv"].get("sha256") == expected
    missing = [note for note in imported.missing if "dshub checksum" in note.message]
    assert bool(missing) == (expected is None)
    assert ("is not a checksum" in notes_of(imported).get("rows.csv", "")) == (expected is None)


def test_files_that_are_not_understood_get_notes() -> None:
    files = [
        file("repo", "git+https", sha256="x"),
        file("odd.zip", "application/zip", contentUrl="s3://bucket/odd.zip", contentSize="3 MB"),
        {
            "@type": "cr:FileSet",
            "@id": "some",
            "containedIn": {"@id": "odd.zip"},
            "encodingFormat": "text/csv",
            "includes": "*.csv",
            "excludes": "b*.csv",
        },
    ]
    imported = read(files, field("a", "sc:Text", "some", of="fileSet", column="a"))
    notes = notes_of(imported)
    assert "repository" in notes["repo"]
    assert "excludes" in notes["some"]
    assert "s3://bucket/odd.zip" in notes["odd.zip"]
    assert "3 MB" in notes["odd.zip"]
    assert "files" not in imported.content["splits"]["rows"]


def test_product_of_archives_and_members_is_refused_at_once() -> None:
    files = [file(f"{i}.zip", "application/zip") for i in range(400)]
    more: dict[str, Any] = {"containedIn": [{"@id": item["@id"]} for item in files]}
    more["includes"] = [f"{'x' * 90}{j}.csv" for j in range(400)]
    files.append(more | {"@type": "cr:FileSet", "@id": "s", "encodingFormat": "text/csv"})
    began = time.process_time()
    with pytest.raises(ManifestError, match="more archive members than a manifest can contain"):
        read(files, field("a", "sc:Text", "s", of="fileSet", column="a"))
    assert time.process_time() - began < 2


def test_archives_in_archives_get_a_note() -> None:
    inner: dict[str, Any] = {"@type": "cr:FileObject", "@id": "b.zip", "contentUrl": "b.zip"}
    inner |= {"containedIn": {"@id": "a.zip"}, "encodingFormat": "application/zip"}
    rows: dict[str, Any] = {"@type": "cr:FileObject", "@id": "c.csv", "contentUrl": "c.csv"}
    rows |= {"containedIn": {"@id": "b.zip"}, "encodingFormat": "text/csv"}
    files = [file("a.zip", "application/zip"), inner, rows]
    imported = read(files, field("a", "sc:Text", "c.csv", column="a"))
    assert "files" not in imported.content["splits"]["rows"]
    assert "not a file of the distribution" in notes_of(imported)["c.csv"]


def test_container_in_itself_is_an_error() -> None:
    node = {"@type": "cr:FileSet", "@id": "s", "includes": "*", "encodingFormat": "text/csv"}
    with pytest.raises(ManifestError):
        read(
            [node | {"containedIn": {"@id": "s"}}],
            field("a", "sc:Text", "s", of="fileSet", column="a"),
        )


def test_many_equal_names_are_made_unique_in_linear_time() -> None:
    files = [file(f"{i}/data.csv", "text/csv") for i in range(500)]
    began = time.process_time()
    resources = read(files).content["resources"]
    assert len(resources) == 500
    assert list(resources)[:3] == ["data-csv", "data-csv-2", "data-csv-3"]
    assert time.process_time() - began < 2
