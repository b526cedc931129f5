from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import ImageFeature
from dshub.errors import ReadError
from dshub.loading.encoded import EncodedImages
from dshub.loading.options import BatchOptions
from dshub.loading.transforms.colors import ToFloat
from dshub.loading.transforms.geometry import Resize
from tests.loading.decoding.examples import encode, smooth

FILES = [encode(Image.fromarray(smooth(20 + i, 30)), "PNG") for i in range(4)]
PNG = ImageFeature(encoding="png")
BOTH = Dataset.from_arrays(
    {"left": FILES, "right": FILES[::-1], "pixels": np.zeros((4, 8, 8, 3), np.uint8)},
    features={"left": PNG, "right": PNG, "pixels": ImageFeature(shape=(8, 8, 3))},
)


def test_every_column_of_files_is_decoded() -> None:
    rows = BOTH.columns(["left", "right"])
    encoded = EncodedImages(rows, BatchOptions(4, transform=[Resize((8, 8)), ToFloat()]))
    assert encoded.names == ("left", "right")
    assert encoded.fused.count == 2
    (batch,) = rows.batches(4, transform=[Resize((8, 8)), ToFloat()])
    assert np.array_equal(batch["left"], batch["right"][::-1])


def test_transforms_are_separate_if_other_images_need_them() -> None:
    """Draws depend on the position of a transform, so all columns apply the same ones."""
    transform: list[Any] = [Resize((6, 6)), ToFloat()]
    assert EncodedImages(BOTH, BatchOptions(4, transform=transform)).fused.count == 0
    (batch,) = BOTH.batches(4, transform=transform, layout="chw")
    (alone,) = BOTH.columns(["left"]).batches(4, transform=transform, layout="chw")
    np.testing.assert_allclose(batch["left"], alone["left"], atol=1.01 / 255)
    assert batch["pixels"].shape == (4, 3, 6, 6)


def test_images_of_several_sizes_are_a_list() -> None:
    (batch,) = BOTH.columns(["left"]).batches(4, layout="chw", threads=2)
    assert [image.shape for image in batch["left"]] == [(3, 20 + i, 30) for i in range(4)]


@pytest.mark.parametrize("prepared", [False, True])
def test_missing_image_is_none(tmp_path: Path, prepared: bool) -> None:
    feature = ImageFeature(encoding="png", optional=True)
    rows = Dataset.from_arrays({"x": [FILES[0], None, FILES[1]]}, features={"x": feature})
    if prepared:
        rows.save(tmp_path / "rows")
        rows = Dataset.open(tmp_path / "rows")
    (batch,) = rows.batches(3, threads=1)
    assert [image is None for image in batch["x"]] == [False, True, False]
    assert rows[1] == {"x": None}
    with pytest.raises(ReadError, match="row 1, column x: it is missing") as caught:
        list(rows.batches(3, transform=[Resize((8, 8))]))
    assert "drop_missing" in caught.value.hint
    (sized,) = rows.drop_missing("x").batches(2, transform=[Resize((8, 8))])
    assert sized["x"].shape == (2, 8, 8, 3)


def test_rows_without_files_need_no_threads() -> None:
    rows = BOTH.columns(["pixels"])
    options = BatchOptions(4)
    assert (options.workers(rows), options.ahead(rows)) == (0, 1)
    assert BatchOptions(4, threads=3).ahead(rows) == 3


@pytest.mark.parametrize(("threads", "ahead"), [(0, 0), (1, 1), (5, 2)])
def test_threads_decode_the_images_of_two_batches(threads: int, ahead: int) -> None:
    options = BatchOptions(4, threads=threads)
    assert (options.workers(BOTH), options.ahead(BOTH)) == (threads, ahead)
