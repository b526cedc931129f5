"""Columns that an export format cannot hold."""

from pathlib import Path

import pytest

from dshub import DshubError
from tests.exporting import Some, written


@pytest.mark.parametrize(
    ("to", "column", "told"),
    [
        ("csv", "photo", "holds pictures"),
        ("csv", "box", "holds arrays"),
        ("csv", "words", "holds lists"),
        ("npz", "photo", "holds pictures that differ in shape"),
        ("npz", "sound", "holds recordings that differ in shape"),
        ("npz", "tokens", "holds lists that differ in shape"),
        ("imagefolder", "text", "holds text"),
        ("recordio", "count", "holds numbers"),
    ],
)
def test_column_a_format_cannot_hold_is_refused(
    some: Some, tmp_path: Path, to: str, column: str, told: str
) -> None:
    """Nothing is written; the error names the column, and how to go on without it."""
    with pytest.raises(DshubError, match=f"column {column} {told}") as caught:
        written(
            some("pixels", "label", column) if to != "csv" else some("label", column), to, tmp_path
        )
    assert "--columns" in caught.value.hint
    assert not list(tmp_path.iterdir())
