from typing import Any, cast

import pyarrow as pa
import pytest

from dshub.catalog.manifest import Cut, Stack
from dshub.catalog.parsing import parse
from dshub.errors import ManifestError, SchemaError
from dshub.tables.steps import Lookup, apply, cut


def test_cut_keeps_the_text_before_the_mark() -> None:
    batch = pa.RecordBatch.from_pydict({"a": ["n01 1 2 n02 3", "n03", "", " n04", None]})
    result = cut(batch, Cut(column="a", before=" ")).column("a").to_pylist()
    assert result == ["n01", "n03", "", "", None]


def test_cut_of_a_missing_column_is_rejected() -> None:
    batch = pa.RecordBatch.from_pydict({"a": ["x"]})
    with pytest.raises(SchemaError, match="got columns a, expected a column 'b'"):
        cut(batch, Cut(column="b", before=" "))


def test_cut_without_a_mark_is_a_fault_of_the_manifest() -> None:
    text = """
schema = 1
name = "a"
version = "1.0.0"
title = "A"
summary = "A."
task = "text"
homepage = "https://example.org"
resources.a = { filename = "a", md5 = "00000000000000000000000000000000" }
features.a = { kind = "text" }
[splits.train]
rows = 1
reader = { format = "lines" }
files = { a = "a" }
steps = [{ step = "cut", column = "a", before = "" }]
"""
    with pytest.raises(ManifestError, match=r"steps\[0\]\.before: must not be empty"):
        parse(text, source="test")


def stack(columns: dict[str, Any], step: Stack) -> pa.RecordBatch:
    batch = pa.RecordBatch.from_pydict(columns)
    return next(apply(iter([batch]), [step], cast("Lookup", None)))


def test_columns_are_stacked_in_the_order_of_the_step() -> None:
    step = Stack(column="p", columns=("d", "c", "b", "a"), dtype="uint8", shape=(2, 2))
    text = {"a": ["1", "2"], "x": ["u", "v"], "b": ["3", "4"], "c": ["5", "6"], "d": ["7", "8"]}
    assert stack(text, step).to_pydict() == {
        "x": ["u", "v"],
        "p": [[[7, 5], [3, 1]], [[8, 6], [4, 2]]],
    }
    flat = Stack(column="p", columns=("a", "b"), dtype="float32")
    assert stack({"a": [1, 2], "b": [0.5, 1]}, flat).to_pydict() == {"p": [[1, 0.5], [2, 1]]}


def test_missing_text_of_stacked_columns_becomes_nan() -> None:
    step = Stack(column="p", columns=("a", "b"), dtype="float64", missing=("", "NA"))
    values = stack({"a": ["1", ""], "b": ["NA", "2.5"]}, step).column("p").to_pylist()
    assert str(values) == "[[1.0, nan], [nan, 2.5]]"


def test_stacked_text_that_is_not_a_number_is_rejected_with_its_column_and_row() -> None:
    step = Stack(column="p", columns=("a", "b"), dtype="int64")
    with pytest.raises(SchemaError, match="column b, row 1: got 'x'"):
        stack({"a": ["1", "2"], "b": ["3", "x"]}, step)
    with pytest.raises(SchemaError, match="got columns a, expected a column 'b'"):
        stack({"a": ["1"]}, step)
    with pytest.raises(SchemaError, match="got none"):
        stack({"a": [1, 2], "b": [3, None]}, step)
