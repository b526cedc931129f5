"""Infer the features of columns from all rows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from dshub.catalog.features import Feature
from dshub.catalog.manifest import Stack
from dshub.datasets.tabular.arrays import ArrayRange, feature_of, offers, stack
from dshub.datasets.tabular.columns import Column, are_row_numbers
from dshub.datasets.tabular.guessing import guess
from dshub.datasets.tabular.readers import Naming
from dshub.errors import DshubError

_INDEXES = ("", "Unnamed: 0")  # names of the index in CSV files of pandas
_COUNTS = "is omitted, because it has no name and counts rows, as the index of pandas; use --number"


@dataclass
class Inference:
    """Summaries of the columns of all splits, and what they show.

    Attributes:
        columns: summary of each column, by name. An array has that of its first column.
        classes: class names in the metadata of the files, by column.
        features: feature of each column that can be used.
        stacks: step of each array.
        notes: notes about uncertain guesses and omitted columns.
        counters: whether a column without a name counts rows, by its new name.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    stacks: list[Stack] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counters: dict[str, bool] = field(default_factory=dict)

    def add(
        self,
        split: str,
        batch: pa.RecordBatch,
        rename: Mapping[str, str],
        *,
        untyped: Collection[str] | None = None,
    ) -> None:
        """Add rows of a split.

        Args:
            split: name of the split.
            batch: rows, whose columns were renamed.
            rename: new names of columns, by old name.
            untyped: columns in which text can be numbers; None for all columns.
        """
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            if name not in self.columns:
                is_text = untyped is not None and name not in untyped
                self.columns[name] = Column(name, is_text)
            self.columns[name].add(split, values)
        for index in {rename.get(name, name) for name in _INDEXES} & {*batch.schema.names}:
            counts = self.counters.get(index, True) and are_row_numbers(batch.column(index))
            self.counters[index] = counts
        self.classes = self.classes or stated_classes(batch.schema.metadata, rename)

    def infer(
        self,
        kinds: Mapping[str, str],
        arrays: Mapping[str, ArrayRange],
        naming: Naming,
        *,
        declared: Mapping[str, Feature] | None = None,
    ) -> None:
        """Guess the feature of each column, after all rows were added.

        Args:
            kinds: `label`, `text` or `number` by column, to override the guess.
            arrays: columns that become arrays, by the name of the array.
            naming: function that names columns.
            declared: features that are not guessed.

        Raises:
            DshubError: no column can be used, or an array has a column without numbers.
        """
        members = self._stack(arrays, naming)
        for name, column in list(self.columns.items()):
            if name in members:
                continue
            stated = (declared or {}).get(name)
            if stated is not None:
                self.features[name] = stated
                continue
            if self.counters.get(name) and name not in kinds:
                self.notes.append(f"column {name!r} {_COUNTS} {name} to change this")
                continue
            feature, note = guess(column, kinds.get(name, ""), self.classes.get(name, ()))
            self.notes += [note] if note else []
            self.features |= {name: feature} if feature else {}
        self.features |= {step.column: feature_of(step) for step in self.stacks}
        if not self.features:
            raise DshubError("no column can be used", hint="; ".join(self.notes))
        self.columns |= {step.column: self.columns[step.columns[0]] for step in self.stacks}

    def _stack(self, arrays: Mapping[str, ArrayRange], naming: Naming) -> set[str]:
        """Add the step of each array, and return the columns of all arrays."""
        members: list[str] = []
        for array, columns in arrays.items():
            names = columns.columns(list(self.columns), naming)
            repeated = next((name for name in names if name in members), None)
            if repeated is not None:
                hint = "correct the first or last column of an array"
                raise DshubError(f"column {repeated!r} is in two arrays", hint=hint)
            members += names
            summaries = [self.columns[name] for name in names]
            self.stacks.append(stack(array, summaries, columns.shape))
        for array in arrays:
            if array in self.columns and array not in members:
                hint = "choose another name for the array"
                raise DshubError(f"array {array!r} has the name of a column", hint=hint)
        return set(members)

    def stacks_of(self, split: str) -> list[Stack]:
        """Return the steps of the arrays that a split has.

        Raises:
            DshubError: the split has only some columns of an array.
        """
        steps = []
        for step in self.stacks:
            absent = [name for name in step.columns if split not in self.columns[name].rows]
            if absent and len(absent) < len(step.columns):
                raise DshubError(
                    f"split {split} has no column {absent[0]!r}, which array {step.column!r} needs",
                    hint="pass only files with the same columns",
                )
            steps += [] if absent else [step]
        return steps

    def offers(self) -> list[tuple[str, str, int]]:
        """Return the first and last column, and the number of columns, that can be an array."""
        return list(offers(self.features))


def stated_classes(
    metadata: Mapping[bytes, bytes] | None, rename: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the class names of columns in the metadata that Hugging Face `datasets` writes.

    Args:
        metadata: metadata of an Arrow schema.
        rename: new names of columns, by old name.
    """
    try:
        text = (metadata or {}).get(b"huggingface", b"")
        features = msgspec.json.decode(text, type=_Metadata).info.features if text else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return {
        rename.get(name, name): tuple(feature["names"])
        for name, feature in features.items()
        if isinstance(feature, dict)
        and feature.get("_type") == "ClassLabel"
        and isinstance(feature.get("names"), list)
        and all(isinstance(item, str) and item for item in feature["names"])
    }


class _Info(msgspec.Struct):
    features: dict[str, Any] = {}


class _Metadata(msgspec.Struct):
    info: _Info
