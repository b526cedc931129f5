from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dshub.datasets.split_expressions import find_parts, find_split, parse_split
from dshub.errors import ArgumentError, SplitError, UnknownNameError

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


@pytest.mark.parametrize("name", ["val", "valid", "dev", "Validation", "VAL", "vali dation"])
def test_other_names_of_validation_find_the_split(name: str) -> None:
    assert find_split("glue/sst2", name, ["train", "validation"]) == "validation"


@pytest.mark.parametrize(
    "name", ["validation-matched", "Validation Matched", "validationmatched", "validation_matched"]
)
def test_case_blanks_and_hyphens_of_splits_do_not_matter(name: str) -> None:
    splits = ["train", "validation_matched", "validation_mismatched"]
    assert find_split("multi-nli", name, splits) == "validation_matched"


def test_split_of_the_exact_name_comes_first() -> None:
    assert find_split("own/set", "dev", ["dev", "validation"]) == "dev"


def test_splits_that_differ_only_in_spelling_are_ambiguous() -> None:
    with pytest.raises(
        UnknownNameError, match="no single split of own/set named 'PART1'"
    ) as caught:
        find_split("own/set", "PART1", ["part-1", "part_1"])
    assert "part-1 or part_1" in caught.value.hint


def test_expression_contains_the_splits_of_the_dataset() -> None:
    parts = find_parts("glue/sst2", "Train[:10%] + val", ["train", "validation"])
    assert [part.split for part in parts] == ["train", "validation"]
    with pytest.raises(UnknownNameError, match="'extra'"):
        find_parts("glue/sst2", "train+extra", ["train", "validation"])
