import pyarrow as pa
import pytest

from dshub.datasets.tabular.columns import Column


def summary(*batches: list[str | None]) -> Column:
    """Return the summary of a column of text in several batches."""
    column = Column("x")
    for batch in batches:
        column.add("train", pa.array(batch, pa.string()))
    return column


def test_values_are_counted_and_ordered_as_numbers() -> None:
    column = summary(["10", "9", "10"], ["-1", None, "9"])
    assert column.values == ["-1", "9", "10"]
    assert column.counts == {"train": {"10": 2, "9": 2, "-1": 1}}
    assert column.nulls == 1
    assert column.has_classes(3)
    assert not column.has_classes(2)


def test_many_values_are_not_counted() -> None:
    column = summary([str(i) for i in range(900)], [str(i) for i in range(500, 1500)])
    assert column.counts is None
    assert column.all_integers == "int64"
    assert column.values == []


@pytest.mark.parametrize(
    ("batches", "integers", "numbers"),
    [
        ([["1", "2"], ["3", ""]], "int64", True),
        ([["1"], ["2.5", "NA"]], "", True),
        ([["1", "1"], ["1", "x"], ["2"]], "", False),
        ([["18446744073709551615"], ["1"]], "uint64", True),
        ([["-1"], ["18446744073709551615"]], "", True),
    ],
)
def test_common_form_of_texts(
    batches: list[list[str | None]], integers: str, numbers: bool
) -> None:
    column = summary(*batches)
    assert (column.all_integers, column.all_numbers) == (integers, numbers)
    assert summary([text for batch in batches for text in batch]).all_integers == integers
