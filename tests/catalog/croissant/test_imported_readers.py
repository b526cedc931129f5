"""Test importing `extract` and `transform` as readers."""

import pytest

from tests.catalog.croissant.documents import SHA, TABLE, field, file, notes_of, read

pytest.importorskip("mlcroissant")


def test_table_becomes_a_reader_with_its_columns() -> None:
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


@pytest.mark.parametrize("extract", [{"fileProperty": "content"}, {"jsonPath": "$.rows[*].a"}])
def test_fields_without_a_reader_get_a_note(extract: dict[str, str]) -> None:
    files = [file("rows.json", "application/json")]
    imported = read(files, field("a", "sc:Text", "rows.json", **extract))
    assert imported.content["splits"]["rows"] == {"files": {"rows": "rows-json"}}
    assert "write a reader table" in notes_of(imported)["rows"]


def test_json_lines_have_types() -> None:
    files = [file("rows.jsonl", "application/jsonlines")]
    fields = [
        field(name, kind, "rows.jsonl", column=name.upper())
        for name, kind in {"a": "sc:Text", "b": "sc:Integer", "c": "sc:Boolean"}.items()
    ]
    assert read(files, *fields).content["splits"]["rows"]["reader"] == {
        "format": "json",
        "columns": {"a": "A", "b": "B", "c": "C"},
        "types": {"b": "integer", "c": "boolean"},
    }


def test_images_in_parquet_are_fields_of_a_struct() -> None:
    photo = field("photo", "sc:ImageObject", "rows.parquet", column="image")
    photo["source"]["transform"] = {"jsonPath": "bytes"}
    label = field("label", "sc:Integer", "rows.parquet", column="fine label")
    imported = read([file("rows.parquet", "application/x-parquet")], photo, label)
    assert imported.content["features"]["photo"] == {"kind": "image", "encoding": "any"}
    columns = {"photo": "image.bytes", "label": "fine label"}
    assert imported.content["splits"]["rows"]["reader"] == {"format": "parquet", "columns": columns}
