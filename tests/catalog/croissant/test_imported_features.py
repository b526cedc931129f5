"""Import fields as features."""

from typing import Any

import pytest

from tests.catalog.croissant.documents import TABLE, field, notes_of, read

pytest.importorskip("mlcroissant")


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
    """The column keeps the numbers in the file."""
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
