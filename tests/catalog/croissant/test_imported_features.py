"""Import fields as features."""

import pytest

from dshub.catalog.croissant import imported_features
from dshub.errors import ManifestError
from tests.catalog.croissant.documents import TABLE, field, notes_of, read

pytest.importorskip("mlcroissant")


@pytest.mark.parametrize("kind", ["number", "text"])
def test_classes_come_from_an_enumeration(kind: str) -> None:
    """In the order of their numbers, if any; texts in files become codes."""
    key = {"number": "id", "text": "code"}[kind]
    data = [
        {"kinds/id": 3, "kinds/code": "d", "kinds/name": "dog"},
        {"kinds/id": 2, "kinds/code": "c", "kinds/name": "cat"},
    ]
    kinds = {
        "@type": "cr:RecordSet",
        "@id": "kinds",
        "dataType": "sc:Enumeration",
        "field": [
            {"@type": "cr:Field", "@id": f"kinds/{name}", "dataType": kind}
            for name, kind in {"id": "sc:Integer", "code": "sc:Text", "name": "sc:Text"}.items()
        ],
        "data": data,
    }
    label = field("kind", ["sc:Integer", "cr:Label"], "rows.csv", column="kind")
    label["references"] = {"field": {"@id": f"kinds/{key}"}}
    feature = read(TABLE, label, recordSet=[kinds]).content["features"]["kind"]
    assert feature["names"] == ["cat", "dog"]
    assert feature["codes"] == ["c", "d"]
    assert feature["first"] == 2
    data[0]["kinds/id"] = 7
    imported = read(TABLE, label, recordSet=[kinds])
    assert "gaps" in notes_of(imported)["rows/kind"]
    assert imported.content["features"]["kind"] == {"kind": "number", "dtype": "int64"}


def test_more_classes_than_a_manifest_can_hold_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Classes times fields, before they are copied to each field."""
    monkeypatch.setattr(imported_features, "_MOST", 900)
    data = [{"kinds/name": f"n{i}"} for i in range(50)]
    kinds = {"@type": "cr:RecordSet", "@id": "kinds", "dataType": "sc:Enumeration", "data": data}
    kinds["field"] = [{"@type": "cr:Field", "@id": "kinds/name", "dataType": "sc:Text"}]
    link = {"references": {"field": {"@id": "kinds/name"}}}
    labels = [field(f"a{i}", "sc:Text", "rows.csv", column="a") | link for i in range(20)]
    with pytest.raises(ManifestError, match="more classes than a manifest can hold"):
        read(TABLE, *labels, recordSet=[kinds])
