"""Test reading Croissant documents with mlcroissant."""

import sys
from typing import Any

import pytest

from dshub.catalog.croissant.importing import from_croissant
from dshub.errors import ManifestError, MissingExtraError
from tests.catalog.croissant.documents import document, field, file, read

pytest.importorskip("mlcroissant")


def test_errors_of_the_library_are_listed() -> None:
    bad = file("rows.csv", "text/csv")
    del bad["sha256"]
    with pytest.raises(ManifestError, match="sha256") as error:
        read([bad], field("a", "sc:Text", "rows.csv", column="a"))
    assert "import it again" in error.value.hint


@pytest.mark.parametrize(
    "facts",
    [
        {"@context": "http://127.0.0.1:9/context"},
        {"@context": [{}, "http://127.0.0.1:9/context"]},
        {"@context": {"@import": "http://127.0.0.1:9/context"}},
        {"creator": [{"@context": "http://127.0.0.1:9/context"}]},
        {"@context": {"name": {"@id": "sc:name", "@context": "http://127.0.0.1:9/context"}}},
    ],
)
def test_document_with_a_remote_context_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ManifestError, match="@context is at a URL"):
        from_croissant(document(name="x") | facts, source="test")


def test_reading_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dshub.catalog.croissant.reading._SECONDS", 0.3)
    pairs = [[{"@id": f"{side}{i}"} for side in "ab"] for i in range(18)]
    nodes = [{**a, "x": b} for i, b in enumerate(pairs[1:]) for a in pairs[i]]
    with pytest.raises(ManifestError, match="did not finish"):
        from_croissant(document(name="x", x=pairs[0], y=nodes), source="test")


def test_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    with pytest.raises(MissingExtraError, match=r"mlcroissant is not installed") as error:
        from_croissant(document(name="x"), source="test")
    assert "dshub[croissant]" in error.value.hint
