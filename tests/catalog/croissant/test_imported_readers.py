"""Import `extract` and `transform` as readers."""

import pytest

from tests.catalog.croissant.documents import SHA, TABLE, field, file, notes_of, read

pytest.importorskip("mlcroissant")


def test_table_becomes_a_reader_with_its_columns() -> None:
    """With types, checksum, size and address; invalid names of columns are changed."""
    imported = read(
        TABLE,
        field("a", "sc:Text", "rows.csv", column="Some Text") | {"name": "Some Text"},
        field("count", ["sc:Integer", "cr:Int16"], "rows.csv", column="N"),
        field("score", "sc:Float", "rows.csv", column="score"),
    )
    assert imported.content["name"] == "own-set"
    assert imported.content["resources"] == {
        "rows-csv": {"sha256": SHA, "size": 1234, "urls": ["https://data.example/rows.csv"]}
    }
    assert imported.content["features"] == {
        "some-text": {"kind": "text"},
        "count": {"kind": "number", "dtype": "int16"},
        "score": {"kind": "number", "dtype": "float64"},
    }
    assert imported.content["splits"]["rows"] == {
        "reader": {
            "format": "delimited",
            "header": True,
            "columns": ["Some Text", "N", "score"],
        },
        "files": {"rows": "rows-csv"},
        "steps": [{"step": "rename", "columns": {"Some Text": "some-text", "N": "count"}}],
    }


def test_images_in_an_archive_are_read_with_columns_of_their_paths() -> None:
    """A regular expression on the path becomes a field of the reader's path."""
    files = [
        file("all.zip", "application/zip"),
        {
            "@type": "cr:FileSet",
            "@id": "photos",
            "containedIn": {"@id": "all.zip"},
            "encodingFormat": "image/jpeg",
            "includes": "train/*/*.jpg",
        },
    ]
    photo = field("photo", "sc:ImageObject", "photos", of="fileSet", fileProperty="content")
    kind = field("kind", "sc:Text", "photos", of="fileSet", fileProperty="fullpath")
    for pattern in (r"^train/([^/]+)/.*\.jpg$", r"^(?:.*/)?train/([^/]+)/[^/]+\.jpg$"):
        kind["source"]["transform"] = {"regex": pattern}
        split = read(files, photo, kind).content["splits"]["rows"]
        assert split["files"] == {"photo": "all-zip:train/*/*.jpg"}
        assert split["reader"] == {"format": "folder", "path": "train/{kind}/{name}.jpg"}
    kind["source"]["transform"] = {"regex": r"train/(?=(x|y))"}
    imported = read(files, photo, kind)
    assert "reader" not in imported.content["splits"]["rows"]
    assert "choose a reader" in notes_of(imported)["rows"]


def test_images_in_parquet_are_fields_of_a_struct() -> None:
    """A column and a path inside it, as in documents of Hugging Face."""
    photo = field("photo", "sc:ImageObject", "rows.parquet", column="image")
    photo["source"]["transform"] = {"jsonPath": "bytes"}
    label = field("label", "sc:Integer", "rows.parquet", column="fine label")
    imported = read([file("rows.parquet", "application/x-parquet")], photo, label)
    assert imported.content["features"]["photo"] == {"kind": "image", "encoding": "any"}
    columns = {"photo": "image.bytes", "label": "fine label"}
    assert imported.content["splits"]["rows"]["reader"] == {"format": "parquet", "columns": columns}
