"""Compare chains of methods that change columns with plain Python rows."""

from pathlib import Path

import numpy as np
import pytest

from dshub import Dataset
from dshub.catalog.features import NumberFeature


def test_chained_changes_of_columns_match_plain_rows(tmp_path: Path) -> None:
    ds = Dataset.from_arrays({"a": np.arange(50), "b": [f"{i}" for i in range(50)]})
    view = (
        ds.shuffle(3)
        .rename({"a": "n"})
        .map(lambda row: {"square": row["n"] ** 2})
        .cast({"square": NumberFeature(dtype="float32")})
        .with_column("rank", range(50))
        .filter(lambda row: row["rank"] % 2 == 0)
        .add_index("row")
    )
    order = ds.shuffle(3)["a"].tolist()
    expected = [
        {"n": n, "b": f"{n}", "square": float(n**2), "rank": rank, "row": rank // 2}
        for rank, n in enumerate(order)
        if rank % 2 == 0
    ]
    assert list(view) == expected
    view.save(tmp_path / "view")
    assert list(Dataset.open(tmp_path / "view")) == expected


@pytest.mark.parametrize("on", [True, False])
def test_cached_images_stay_encoded(photos: Dataset, tmp_path: Path, on: bool) -> None:
    cached = photos.decode(on).cache("photos", folder=tmp_path)
    assert cached.decode(False)[0]["image"] == photos.decode(False)[0]["image"]
