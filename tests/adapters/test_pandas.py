from typing import Any

import numpy as np
import pytest

from dshub import Dataset, DshubError
from dshub.testing.adapters import RowsTests, example

pd = pytest.importorskip("pandas")


class TestPandas(RowsTests):
    name = "pandas"
    files = True

    def to_numpy(self, value: Any) -> Any:
        return value.item() if isinstance(value, np.generic) else value

    def rows_of(self, dataset: Dataset) -> list[dict[str, Any]]:
        return self.frame_rows(dataset.to("pandas"))

    def next_step(self, dataset: Dataset) -> list[dict[str, Any]]:
        frame = dataset.to("pandas")
        groups = [group for _, group in frame.groupby(np.arange(len(frame)) % 7)]
        return self.frame_rows(pd.concat(groups).sort_index())

    def frame_rows(self, frame: Any) -> list[dict[str, Any]]:
        return [
            {name: self.to_numpy(frame[name].iloc[i]) for name in frame.columns}
            for i in range(len(frame))
        ]


def test_columns_have_pandas_types() -> None:
    frame = example().to("pandas")
    assert frame["label"].dtype == np.int64
    assert pd.api.types.is_string_dtype(frame["text"].dtype)
    assert frame.groupby("label").size().tolist() == [8, 8, 8, 8, 7, 7, 7]
    assert frame[frame["text"].str.contains("row 7:")].index.tolist() == [7]
    frame.loc[0, "label"] = 5
    assert example()[0]["label"] == 0


def test_batches_are_an_error() -> None:
    with pytest.raises(DshubError, match="the adapter pandas does not support batches") as caught:
        example().batches(8).to("pandas")
    assert caught.value.hint == "use ds.to('pandas')"


def test_empty_frame_has_the_same_types() -> None:
    dataset = example()
    assert dataset.take(0).to("pandas").dtypes.equals(dataset.to("pandas").dtypes)
