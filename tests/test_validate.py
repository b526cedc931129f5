import pytest

from dshub import _validate as arguments
from dshub.errors import ArgumentError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5GB", 5e9), ("5 GiB", 5 << 30), ("1.5 tb", 1.5e12), ("5k", 5000), ("7B", 7), ("0", 0)],
)
def test_sizes_are_read_with_their_unit(text: str, expected: float) -> None:
    assert arguments.size("size", text) == expected


@pytest.mark.parametrize("text", ["5", "1.5", "GB", "-1GB", "1e3GB", "5d", "9" * 400 + "GB", ""])
def test_size_without_a_unit_is_rejected(text: str) -> None:
    """`--max-size 5` would mean 5 bytes and empty the cache."""
    with pytest.raises(ArgumentError, match=r"MB, GB, TB, GiB"):
        arguments.size("size", text)


@pytest.mark.parametrize(
    ("text", "expected"), [("30d", 30 * 86400), ("12 h", 43200), ("2w", 1209600), ("0", 0)]
)
def test_spans_are_read_with_their_unit(text: str, expected: float) -> None:
    assert arguments.span("span", text) == expected


@pytest.mark.parametrize("text", ["30", "d", "5GB", "-1d"])
def test_span_without_a_unit_is_rejected(text: str) -> None:
    with pytest.raises(ArgumentError, match="30d"):
        arguments.span("span", text)
