"""Import record sets as splits."""

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
        ({"dataType": "sc:AudioObject"}, "rows/b", "sampling rate"),
        ({"dataType": "sc:ImageObject", "repeated": True}, "rows/b", "no feature"),
        ({"subField": [field("x", "sc:Text", "rows.csv", column="b")]}, "rows/b", "within a field"),
        ({"source": {"fileObject": {"@id": "other.csv"}}}, "rows/b", "joins"),
        ({"source": {"field": {"@id": "rows/a"}}}, "rows/b", "joins"),
        ({"source": None, "value": "same"}, "rows/b", "same value"),
    ],
)
def test_field_that_is_not_understood_is_skipped_with_a_note(
    change: Any, place: str, words: str
) -> None:
    """The other fields are imported."""
    files = [*TABLE, file("other.csv", "text/csv")]
    good = [field(name, "sc:Text", "rows.csv", column=name) for name in ("a", "c")]
    imported = read(files, *good, field("b", "sc:Text", "rows.csv", column="b") | change)
    assert list(imported.content["features"]) == ["a", "c"]
    assert words in notes_of(imported)[place]
    assert "other-csv" not in str(imported.content["splits"])


def test_more_splits_than_a_manifest_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record sets times fields, before anything is computed for each of them."""
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
