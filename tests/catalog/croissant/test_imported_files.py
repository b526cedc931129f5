"""Import files and references to them."""

import base64
import time

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
    """In hexadecimal digits or Base64; a placeholder gets a note with the file's `@id`."""
    files = [file("rows.csv", "text/csv", sha256=form)]
    imported = read(files, field("a", "sc:Text", "rows.csv", column="a"))
    assert imported.content["resources"]["rows-csv"].get("sha256") == expected
    missing = [note for note in imported.missing if "dshub pin" in note.message]
    assert bool(missing) == (expected is None)
    assert ("is not a checksum" in notes_of(imported).get("rows.csv", "")) == (expected is None)


def test_files_that_are_not_understood_get_notes() -> None:
    """A repository, exclusions, another scheme, a size in megabytes."""
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


def test_product_of_nested_containers_is_refused_at_once() -> None:
    """Sets of files inside one another multiply their members."""
    files = [file("f.zip", "application/zip")]
    for i in range(8):
        outer = {"@id": f"s{i - 1}" if i else "f.zip"}
        more = {"containedIn": outer, "includes": [f"{j}.zip" for j in range(10)]}
        files.append({"@type": "cr:FileSet", "@id": f"s{i}", "encodingFormat": "x/y"} | more)
    began = time.process_time()
    with pytest.raises(ManifestError, match="more members of archives than a manifest can hold"):
        read(files, field("a", "sc:Text", "s7", of="fileSet", column="a"))
    assert time.process_time() - began < 2


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
