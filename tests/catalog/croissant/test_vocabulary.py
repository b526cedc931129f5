"""Test the mapping of names and types to Croissant terms."""

from typing import Any

import pytest

from dshub.catalog.croissant.vocabulary import encoding_formats, identifier, types
from dshub.catalog.features import ImageFeature, LabelFeature, ListFeature, NumberFeature


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", [], "text/csv"),
        ("A.CSV.gz", [], ["text/csv", "application/gzip"]),
        ("a.tgz", [], ["application/x-tar", "application/gzip"]),
        ("a.gz", ["image/png"], ["image/png", "application/gzip"]),
        ("a", ["image/png"], "image/png"),
        ("folder.zip/a", [], "application/octet-stream"),
        ("a.unknown", [], "application/octet-stream"),
    ],
)
def test_media_types_come_from_content_and_suffixes(
    name: str, content: list[str], expected: Any
) -> None:
    assert encoding_formats(name, content) == expected


def test_identifiers_have_no_forbidden_characters() -> None:
    assert identifier("a b", "*.png", "ü?") == "a%20b/*.png/%C3%BC%3F"


@pytest.mark.parametrize(
    ("feature", "latest", "oldest"),
    [
        (NumberFeature(dtype="uint8"), {}, {}),
        (NumberFeature(dtype="uint8", shape=(2, 3)), {"isArray": True, "arrayShape": "2,3"}, None),
        (ListFeature(of=LabelFeature(names=("a",))), {"isArray": True, "arrayShape": "-1"}, None),
        (ImageFeature(shape=(2, 2, 3), encoding="jpeg"), {}, {}),
        (ImageFeature(shape=(2, 2, 3)), {"isArray": True, "arrayShape": "2,2,3"}, {}),
    ],
)
def test_only_version_1_1_has_shapes(feature: Any, latest: Any, oldest: Any) -> None:
    terms = types(feature, "1.1", numbers=True)
    terms.pop("dataType")
    assert terms == latest
    terms = types(feature, "1.0", numbers=True)
    terms.pop("dataType")
    assert terms == ({"repeated": True} if oldest is None else oldest)
