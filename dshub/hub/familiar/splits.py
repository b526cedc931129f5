"""Familiar names of `Splits`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dshub.catalog.features import Feature
from dshub.datasets.dataset import Dataset
from dshub.datasets.splits import Splits
from dshub.hub.familiar.datasets import DatasetNames, listed


class SplitsNames:
    """Familiar names of `Splits`, which apply to every split."""

    _lessons: ClassVar[Mapping[str, str]] = {
        name: f"for one split, {text}" for name, text in vars(DatasetNames)["_lessons"].items()
    }

    def __init__(self, own: Splits) -> None:
        self._own = own

    @property
    def column_names(self) -> dict[str, list[str]]:
        """Same as `list(splits["train"].features)`."""
        return {name: list(split.features) for name, split in self._own.items()}

    @property
    def num_rows(self) -> dict[str, int]:
        """Same as `len(splits["train"])`."""
        return {name: len(split) for name, split in self._own.items()}

    @property
    def num_columns(self) -> dict[str, int]:
        """Same as `len(splits["train"].features)`."""
        return {name: len(split.features) for name, split in self._own.items()}

    @property
    def shape(self) -> dict[str, tuple[int, int]]:
        """Same as `(len(splits["train"]), len(splits["train"].features))`."""
        return {name: DatasetNames(split).shape for name, split in self._own.items()}

    @property
    def features(self) -> dict[str, Feature]:
        """Same as `splits["train"].features`."""
        return next(iter(self._own.values())).features

    def unique(self, column: str) -> dict[str, list[Any]]:
        """Same as `splits["train"].unique("label")`."""
        return {name: split.unique(column) for name, split in self._own.items()}

    def rename_column(self, original_column_name: str, new_column_name: str) -> Splits:
        """Same as `splits.rename({"old": "new"})`."""
        return self.rename_columns({original_column_name: new_column_name})

    def rename_columns(self, column_mapping: Mapping[str, str]) -> Splits:
        """Same as `splits.rename({"old": "new"})`."""
        return each(
            self._own,
            lambda split: split.rename(
                {name: column_mapping[name] for name in self._held(split, column_mapping)}
            ),
        )

    def remove_columns(self, column_names: str | Sequence[str]) -> Splits:
        """Same as `splits.without(["text"])`."""
        names = listed(column_names)
        return each(
            self._own,
            lambda split: DatasetNames(split).remove_columns(self._held(split, names)),
        )

    def select_columns(self, column_names: str | Sequence[str]) -> Splits:
        """Same as `splits.columns(["text"])`."""
        names = listed(column_names)
        return each(self._own, lambda split: split.columns(self._held(split, names)))

    def cast_column(self, column: str, feature: Feature) -> Splits:
        """Same as `splits.cast({column: feature})`."""
        return each(
            self._own,
            lambda split: split.cast(dict.fromkeys(self._held(split, [column]), feature)),
        )

    def _held(self, split: Dataset, names: Iterable[str]) -> list[str]:
        """Return the names without columns that only other splits have, such as hidden labels."""
        return [
            name
            for name in names
            if name in split.features
            or not any(name in other.features for other in self._own.values())
        ]

    def flatten_indices(self) -> Splits:
        """Same as `splits`."""
        return self._own

    def with_format(self, type: str | None = None, columns: Sequence[str] | None = None) -> Any:
        """Same as `splits["train"].to("torch")`."""
        formatted = self._own.items()
        return {name: DatasetNames(split).with_format(type, columns) for name, split in formatted}

    def save_to_disk(self, dataset_dict_path: str | Path, num_proc: int = 1) -> None:
        """Same as `splits["train"].save(folder)`."""
        for name, split in self._own.items():
            split.save(Path(dataset_dict_path) / name, workers=num_proc)


def each(splits: Splits, change: Callable[[Dataset], Dataset]) -> Splits:
    """Return splits with a change that is applied when a split is first used."""
    rows = dict.fromkeys(splits)
    return Splits(splits.title, rows, lambda name: change(splits[name]), splits.manifest)
