from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.datasets.split_expressions import parse_split
from dshub.errors import ArgumentError, SplitError

bounds = st.integers(-130, 130) | st.none()
percents = st.integers(-100, 100) | st.none()


def selected_rows(expression: str, counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return the split and number of every row that an expression selects."""
    return [(p.split, row) for p in parse_split(expression) for row in p.rows(counts[p.split])]


def bound_text(bound: int | None, unit: str = "") -> str:
    return "" if bound is None else f"{bound}{unit}"


@given(bounds, bounds, st.integers(0, 120))
def test_slices_match_list_slices(start: int | None, stop: int | None, count: int) -> None:
    expected = [("train", row) for row in list(range(count))[start:stop]]
    assert (
        selected_rows(f"train[{bound_text(start)}:{bound_text(stop)}]", {"train": count})
        == expected
    )


@given(percents, percents, st.integers(0, 100_000))
def test_percentages_are_rounded_to_the_nearest_row(
    start: int | None, stop: int | None, count: int
) -> None:
    (part,) = parse_split(f"train[{bound_text(start, '%')}:{bound_text(stop, '%')}]")
    rows = part.rows(count)
    first = 0 if start is None else start * count + (100 * count if start < 0 else 0)
    last = 100 * count if stop is None else stop * count + (100 * count if stop < 0 else 0)
    if last - first >= 100:  # at least one row
        assert abs(100 * rows.start - first) <= 50
        assert abs(100 * rows.stop - last) <= 50
    assert 0 <= rows.start <= rows.stop <= count


@given(st.lists(st.integers(0, 100), max_size=5), st.integers(0, 10_000))
def test_adjacent_percentages_hold_each_row_once(cuts: list[int], count: int) -> None:
    ends = ["", *(f"{cut}%" for cut in sorted(cuts)), ""]
    pieces = [f"train[{a}:{b}]" for a, b in pairwise(ends)]
    together = [row for piece in pieces for row in selected_rows(piece, {"train": count})]
    assert together == [("train", row) for row in range(count)]
    assert selected_rows("+".join(pieces), {"train": count}) == together


def test_terms_are_concatenated() -> None:
    counts = {"train": 4, "test-a": 3}
    train = [("train", row) for row in range(4)]
    test = [("test-a", row) for row in range(3)]
    assert selected_rows("train+test-a", counts) == train + test
    assert selected_rows(" test-a [ :2 ] + train[ 50% : ] ", counts) == test[:2] + train[2:]
    assert selected_rows("train[-2:]+train[:-2]+train", counts) == train[-2:] + train[:-2] + train
    assert selected_rows("train[3:1]+train[9:]+train[:0%]", counts) == []


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "is not a split"),
        ("train+", "is not a split"),
        ("train[:10", r"without its '\]'"),
        ("train]", "'train]' is not a split"),
        ("train[:5][:2]", "is not a split"),
        ("train test", "is not a split"),
        ("train[5]", "needs a ':'"),
        ("train[]", "needs a ':'"),
        ("train[::2]", "':2' is neither"),
        ("train[a:]", "'a' is neither"),
        ("train[:1.5]", "'1.5' is neither"),
        ("train[:10%%]", "'10%%' is neither"),
        ("train[:+5]", "is not a split|without|neither"),
        ("train[:150%]", "150% is not between"),
        ("train[-101%:]", "-101% is not between"),
        ("../train", "is not a split"),
    ],
)
def test_invalid_expression_is_rejected(expression: str, reason: str) -> None:
    """The hint shows valid expressions."""
    with pytest.raises(SplitError, match=reason) as caught:
        parse_split(expression)
    assert repr(expression) in str(caught.value)
    assert "train[10%:20%]" in caught.value.hint


@pytest.mark.parametrize("bound", ["9" * 5000, "-" + "9" * 5000, "\u00b2", "9" * 5000 + "%"])
def test_bound_that_is_not_a_number_is_rejected(bound: str) -> None:
    """Python refuses to parse 5,000 digits, and the error does not repeat them."""
    with pytest.raises(SplitError, match="is neither a number of rows nor") as caught:
        parse_split(f"train[:{bound}]")
    assert len(str(caught.value)) < 300


def test_list_of_splits_is_rejected() -> None:
    with pytest.raises(ArgumentError, match=r"train\+test"):
        parse_split(["train", "test"])  # type: ignore[arg-type]
