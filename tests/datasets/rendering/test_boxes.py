"""Test that boxes are drawn where they are, in the color of their class."""

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.catalog.features import (
    BoxFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    StructFeature,
)
from dshub.datasets.rendering.boxes import COLORS, draw_boxes, labels_of
from dshub.datasets.rendering.showing import images_of

LABELS = ListFeature(of=LabelFeature(names=("cat", "dog")))


def objects(box: BoxFeature) -> dict[str, Feature]:
    fields: dict[str, Feature] = {"boxes": ListFeature(of=box), "labels": LABELS}
    return {"objects": StructFeature(fields=fields)}


def drawn(box: BoxFeature, *boxes: tuple[float, ...]) -> np.ndarray:
    """Draw boxes of dogs on a black image of 40 x 20 pixels."""
    row = {"objects": {"boxes": np.array(boxes, np.float32), "labels": np.ones(len(boxes), int)}}
    return np.asarray(draw_boxes(Image.new("L", (40, 20)), row, objects(box)).convert("RGB"))


@pytest.mark.parametrize(
    ("box", "numbers"),
    [
        (BoxFeature(), (10, 5, 30, 15)),
        (BoxFeature(format="xywh"), (10, 5, 20, 10)),
        (BoxFeature(format="cxcywh", relative=True), (0.5, 0.5, 0.5, 0.5)),
    ],
)
def test_lines_are_at_the_edges_of_the_box(box: BoxFeature, numbers: tuple[float, ...]) -> None:
    image = drawn(box, numbers)
    colored = (image == COLORS[1]).all(axis=2)
    rows, columns = np.nonzero(colored)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 15, 10, 30)
    assert not colored[6:15, 11:30].any()


def test_unusual_boxes_do_no_harm() -> None:
    """Boxes outside the image, reversed or infinite ones, and images without boxes."""
    assert not drawn(BoxFeature()).any()
    for box in ((1e30, 1e30, 1e31, 1e31), (9, 9, 1, 1), (np.nan, 0, np.inf, 9), (-9, -9, -5, -5)):
        assert drawn(BoxFeature(), box).shape == (20, 40, 3)


def test_rows_show_their_boxes_and_classes() -> None:
    features = {"image": ImageFeature(shape=(20, 40, 3)), **objects(BoxFeature())}
    values = {"boxes": [[2, 2, 9, 9], [3, 3, 5, 5]], "labels": [1, 1]}
    ds = Dataset.from_arrays(
        {"image": np.zeros((1, 20, 40, 3), np.uint8), "objects": [values]}, features=features
    )
    (image,) = images_of(ds, [0])
    assert image.getpixel((2, 2)) == COLORS[1]
    assert labels_of(ds[0], ds.features) == ["dog"]
    assert "<img" in ds._repr_html_()
