"""Show the images of a dataset in notebooks, terminals and files."""

import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PIL import Image

from dshub.catalog.features import ImageFeature, LabelFeature
from dshub.catalog.manifest import Manifest
from dshub.datasets.rendering.boxes import box_columns, draw_boxes, labels_of
from dshub.datasets.rendering.cells import to_rgb, words
from dshub.datasets.rendering.images import (
    captioned,
    captioned_blocks,
    escaped,
    terminal_can_show,
)
from dshub.display import in_notebook
from dshub.errors import DshubError

if TYPE_CHECKING:
    from dshub.datasets.dataset import Dataset


def show(rows: "Dataset", count: int) -> None:
    """Show the images of the first rows; see `Dataset.show`."""
    numbers = range(min(count, len(rows)))
    images = images_of(rows, numbers)
    if not images:
        raise DshubError(f"{rows!r} has no images to show", hint="read rows with ds[:5]")
    if in_notebook():
        from IPython.display import display

        note = "synthetic, not real data" if is_synthetic(rows.manifest) else ""
        display(grid(rows, images, numbers, note=note))
    elif terminal_can_show():
        print(drawn(rows, images, numbers, width=shutil.get_terminal_size().columns))  # noqa: T201
    else:
        print(f"{rows!r}: this output cannot show images")  # noqa: T201


def is_synthetic(manifest: Manifest | None) -> bool:
    """Return True if the manifest describes synthetic data."""
    return manifest is not None and manifest.synthetic


def images_of(rows: "Dataset", numbers: Sequence[int]) -> list[Image.Image]:
    """Return the images of rows in the first image column, or an empty list without one.

    Boxes are drawn on the images.
    """
    names = [n for n, item in rows.features.items() if isinstance(item, ImageFeature)]
    view = rows.decode().columns([*names[:1], *box_columns(rows.features)])
    pairs = [(name, view[number]) for name in names[:1] for number in numbers]
    return [draw_boxes(to_rgb(row[name]), row, view.features) for name, row in pairs]


def grid(
    rows: "Dataset", images: Sequence[Image.Image], numbers: Sequence[int], *, note: str
) -> Image.Image:
    """Return a grid of images with their class names, and a note at the bottom."""
    return captioned(images, _captions(rows, numbers), side=112, columns=8, note=note)


def drawn(
    rows: "Dataset",
    images: Sequence[Image.Image],
    numbers: Sequence[int],
    *,
    width: int,
    painted: Callable[[str, str], str] = escaped,
) -> str:
    """Return images and their class names as lines of half blocks for a terminal."""
    return captioned_blocks(images, _captions(rows, numbers), width, painted)


def _captions(rows: "Dataset", numbers: Sequence[int]) -> list[str]:
    """Return the class names of each row."""
    classes = [n for n, item in rows.features.items() if isinstance(item, LabelFeature)]
    labels = rows.columns([*classes, *box_columns(rows.features)])
    captions = []
    for row in (labels[number] for number in numbers):
        names = [words(row[name], labels.features[name]) for name in classes]
        captions.append(", ".join(names + labels_of(row, labels.features)))
    return captions
