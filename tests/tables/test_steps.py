import pyarrow as pa
import pytest

from dshub.catalog.manifest import Cut
from dshub.catalog.parsing import parse
from dshub.errors import ManifestError, SchemaError
from dshub.tables.steps import cut


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
