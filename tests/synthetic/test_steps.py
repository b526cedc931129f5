import pyarrow as pa
import pytest

from dshub.catalog.manifest import Keep, Map, Number, Rename, Stack, Step
from dshub.synthetic.steps import undo
from dshub.tables.steps import apply

ROWS = pa.RecordBatch.from_pydict({"label": ["cat", "dog", "cat"], "id": [3, 4, 5]})


class NoFiles:
    """A source without files, for steps that need no lists."""

    def files(self, part: str) -> list[object]:
        raise AssertionError(part)

    def member(self, part: str, name: str) -> object:
        raise AssertionError(part, name)


@pytest.mark.parametrize(
    "steps",
    [
        [Rename(columns={"class": "label"})],
        [Map(column="label", values={"n01": "cat", "n02": "dog"})],
        [Rename(columns={"class": "label"}), Map(column="label", values={"1": "cat", "2": "dog"})],
        [Keep(column="split", values=("train", "extra"))],
        [Number(column="id", first=3)],
    ],
    ids=["rename", "map", "rename and map", "keep", "number"],
)
def test_steps_restore_the_rows(steps: list[Step]) -> None:
    undone = undo(ROWS, steps).rows
    assert undone != ROWS
    (restored,) = apply(iter([undone]), steps, NoFiles())  # type: ignore[arg-type]
    assert restored.select(ROWS.schema.names) == ROWS


def test_mapped_integers_stay_integers() -> None:
    """Raw files contain integers, which the step compares as text."""
    rows = pa.RecordBatch.from_pydict({"label": pa.array([0, 1], pa.int32())})
    undone = undo(rows, [Map(column="label", values={"10": "0", "20": "1"})]).rows
    assert undone.to_pydict() == {"label": [10, 20]}
    assert undone.schema.field("label").type == pa.int32()


def test_stacked_arrays_are_restored() -> None:
    values = pa.FixedSizeListArray.from_arrays(pa.array([1, 2, 3, 4], pa.uint8()), 2)
    rows = pa.RecordBatch.from_pydict({"label": ["cat", "dog"], "p": values})
    step = Stack(column="p", columns=("a", "b"), dtype="uint8")
    undone = undo(rows, [step]).rows
    assert undone.to_pydict() == {"label": ["cat", "dog"], "a": [1, 3], "b": [2, 4]}
    (restored,) = apply(iter([undone]), [step], NoFiles())  # type: ignore[arg-type]
    assert restored == rows
