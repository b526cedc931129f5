"""Open the splits of a folder of image, audio or text files by its path."""

from collections.abc import Sequence
from pathlib import Path

from dshub.datasets.dataset import Dataset
from dshub.datasets.folder_kinds import read_folder
from dshub.datasets.split_expressions import find_parts
from dshub.datasets.splits import Splits

WHOLE = "train"  # split of a folder without splits, as in Hugging Face `datasets`


def open_folder(
    root: Path, expression: str | None, columns: Sequence[str] | None = None
) -> Dataset | Splits | None:
    """Open a folder like `Dataset.from_folder`; None if it has no image, audio or text files.

    Args:
        root: path of the folder.
        expression: split expression; None for all splits.
        columns: columns to load; all by default.

    Raises:
        DshubError: one of the errors of `Dataset.from_folder`.
    """
    folder = read_folder(root)
    if not folder.has_rows:
        return None
    names = folder.splits

    def open_split(split: str) -> Dataset:
        dataset = Dataset.from_folder(root, split) if names else _selected(root, split)
        return dataset if columns is None else dataset.columns(columns)

    if expression is not None:
        return open_split(expression)
    splits = {name: open_split(name) for name in names or [WHOLE]}
    rows = {name: len(split) for name, split in splits.items()}
    return Splits(str(root), rows, splits.__getitem__)


def _selected(root: Path, expression: str) -> Dataset:
    """Return the rows that an expression selects from a folder without splits."""
    parts = find_parts(str(root), expression, [WHOLE])
    dataset = Dataset.from_folder(root)
    selected = [part.rows(len(dataset)) for part in parts]
    slices = [dataset.skip(rows.start).take(len(rows)) for rows in selected]
    return slices[0] if len(slices) == 1 else Dataset.concat(slices)
