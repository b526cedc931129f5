"""Test that columns that a format cannot store are refused."""

from pathlib import Path

import pytest

from dshub import DshubError
from tests.exporting import Some, written


@pytest.mark.parametrize(
    ("to", "column", "reason"),
    [
        ("csv", "photo", "holds images"),
        ("csv", "box", "holds arrays"),
        ("csv", "words", "holds lists"),
        ("npz", "photo", "holds images of different shapes"),
        ("npz", "sound", "holds audio of different shapes"),
        ("npz", "tokens", "holds lists of different shapes"),
        ("imagefolder", "text", "holds text"),
        ("recordio", "count", "holds numbers"),
    ],
)
def test_column_a_format_cannot_hold_is_refused(
    some: Some, tmp_path: Path, to: str, column: str, reason: str
) -> None:
    with pytest.raises(DshubError, match=f"column {column} {reason}") as caught:
        written(
            some("pixels", "label", column) if to != "csv" else some("label", column), to, tmp_path
        )
    assert "--columns" in caught.value.hint
    assert not list(tmp_path.iterdir())
