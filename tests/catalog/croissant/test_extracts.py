"""Test describing columns as Croissant extracts."""

from typing import Any

import pytest

from dshub.catalog.croissant.extracts import class_form, extract
from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Drop, Rename, Split

RENAME = Rename(columns={"Upstream": "label"})
FOLDER = {"format": "folder", "path": "{label}/{name}.png"}
PATH = {"fileProperty": "fullpath"}


@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        ({"format": "idx"}, None),
        ({"format": "delimited", "header": True}, {"extract": {"column": "label"}}),
        ({"format": "delimited"}, None),
        ({"format": "delimited", "header": True, "delimiter": ";"}, None),
        ({"format": "delimited", "header": True, "skip": 1}, None),
        ({"format": "parquet"}, {"extract": {"column": "label"}}),
        (
            {"format": "parquet", "columns": {"label": "a.b"}},
            {"extract": {"column": "a"}, "transform": {"jsonPath": "b"}},
        ),
        ({"format": "json", "columns": {"label": "a"}}, {"extract": {"column": "a"}}),
        ({"format": "json", "columns": {"label": "a.b"}}, None),
        (
            {"format": "json", "lines": False, "rows": "d[]", "columns": {"label": "d[].a"}},
            None,
        ),
        ({"format": "lines"}, {"extract": {"fileProperty": "lines"}}),
        ({"format": "lines", "row": "file"}, {"extract": {"fileProperty": "content"}}),
        ({"format": "lines", "encoding": "latin-1"}, None),
        (FOLDER, {"extract": PATH, "transform": {"regex": r"^(?:.*/)?([^/]+)/[^/]+\.png$"}}),
        (FOLDER | {"skip": ["a"]}, None),
    ],
)
def test_columns_are_extracted_by_format(reader: Any, expected: Any) -> None:
    split = Split(rows=1, reader=reader, files={"image": "files"})
    assert extract(split, "label") == expected


def test_renamed_column_has_the_name_of_upstream() -> None:
    split = Split(rows=1, reader={"format": "parquet"}, files={"rows": "file"}, steps=(RENAME,))
    assert extract(split, "label") == {"extract": {"column": "Upstream"}}


def test_rows_that_steps_choose_have_no_extract() -> None:
    steps = (Drop(column="label", values=("x",)),)
    split = Split(rows=1, reader={"format": "parquet"}, files={"rows": "file"}, steps=steps)
    assert extract(split, "label") is None


@pytest.mark.parametrize(
    ("reader", "label", "expected"),
    [
        ({"format": "idx"}, LabelFeature(names=("a",)), "number"),
        ({"format": "delimited"}, LabelFeature(names=("a",)), ""),
        ({"format": "delimited"}, LabelFeature(names=("a",), first=1), "number"),
        ({"format": "delimited"}, LabelFeature(names=("a",), codes=("n1",)), "code"),
        (FOLDER, LabelFeature(names=("a",)), "name"),
        (FOLDER | {"path": "{label:d}/{name}"}, LabelFeature(names=("a",)), "number"),
    ],
)
def test_form_of_classes_depends_on_the_format(
    reader: Any, label: LabelFeature, expected: str
) -> None:
    split = Split(rows=1, reader=reader, files={"rows": "file"})
    assert class_form(split, "label", label) == expected
