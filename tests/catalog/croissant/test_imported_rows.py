"""Test importing record sets as splits."""

from typing import Any

import pytest

from dshub.catalog.croissant import imported_rows
from dshub.errors import ManifestError
from tests.catalog.croissant.documents import TABLE, field, file, notes_of, read

pytest.importorskip("mlcroissant")


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"dataType": "sc:VideoObject"}, "rows/b", "data type"),
        ({"dataType": "sc:AudioObject"}, "rows/b", "data type"),
        ({"dataType": "sc:ImageObject", "repeated": True}, "rows/b", "are not supported"),
        ({"subField": [field("x", "sc:Text", "rows.csv", column="b")]}, "rows/b", "nested fields"),
        ({"source": {"fileObject": {"@id": "other.csv"}}}, "rows/b", "`join` or `attach`"),
        ({"source": {"field": {"@id": "rows/a"}}}, "rows/b", "`join` or `attach`"),
        ({"source": None, "value": "same"}, "rows/b", "constant fields"),
    ],
)
def test_field_that_is_not_understood_is_skipped_with_a_note(
    change: Any, place: str, words: str
) -> None:
    files = [*TABLE, file("other.csv", "text/csv")]
    good = [field(name, "sc:Text", "rows.csv", column=name) for name in ("a", "c")]
    imported = read(files, *good, field("b", "sc:Text", "rows.csv", column="b") | change)
    assert list(imported.content["features"]) == ["a", "c"]
    assert words in notes_of(imported)[place]
    assert "other-csv" not in str(imported.content["splits"])


def test_more_splits_than_a_manifest_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product of record sets and fields is checked before any split is built."""
    monkeypatch.setattr(imported_rows, "_MOST", 900)
    sets = [
        {
            "@type": "cr:RecordSet",
            "@id": f"r{i}",
            "field": [field(f"a{i}", "sc:Text", "rows.csv", column="a")],
        }
        for i in range(31)
    ]
    with pytest.raises(ManifestError, match="more record sets and fields"):
        read(TABLE, recordSet=sets)


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("sc:Text", {}, {"kind": "text"}),
        ("sc:Boolean", {}, {"kind": "label", "names": ["false", "true"]}),
        (["sc:Integer", "cr:Int16"], {}, {"kind": "number", "dtype": "int16"}),
        (
            ["cr:UInt8", "sc:ImageObject"],
            {},
            {"kind": "image", "encoding": "any", "dtype": "uint8"},
        ),
        (
            ["sc:ImageObject", "cr:UInt8"],
            {"isArray": True, "arrayShape": "2,3,4"},
            {"kind": "image", "encoding": "raw", "dtype": "uint8", "shape": [2, 3, 4]},
        ),
        (
            "sc:Float",
            {"isArray": True, "arrayShape": "5"},
            {"kind": "number", "dtype": "float64", "shape": [5]},
        ),
        ("sc:Text", {"repeated": True}, {"kind": "list", "of": {"kind": "text"}}),
    ],
)
def test_data_type_and_shape_become_a_feature(kind: Any, more: Any, expected: Any) -> None:
    imported = read(TABLE, field("a", kind, "rows.csv", column="a") | more)
    assert imported.content["features"] == {"a": expected}


def test_classes_get_a_note() -> None:
    kinds = {
        "@type": "cr:RecordSet",
        "@id": "kinds",
        "dataType": "sc:Enumeration",
        "field": [{"@type": "cr:Field", "@id": "kinds/id", "dataType": "sc:Integer"}],
        "data": [{"kinds/id": 0}, {"kinds/id": 1}],
    }
    label = field("kind", ["sc:Integer", "cr:Label"], "rows.csv", column="kind")
    label["references"] = {"field": {"@id": "kinds/id"}}
    imported = read(TABLE, label, recordSet=[kinds])
    assert imported.content["features"] == {"kind": {"kind": "number", "dtype": "int64"}}
    assert list(imported.content["splits"]) == ["rows"]
    assert "write a label feature" in notes_of(imported)["rows/kind"]
