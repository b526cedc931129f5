"""What a folder says of the exports in it: `.dshub-export.json`.

::

    {"schema": 1, "format": "parquet", "splits": {"train": {
        "dataset": "mnist@1.0.0", "split": "train", "fingerprint": …, "revision": 1, "rows": …,
        "shards": 2, "features": {…}, "done": {"0": [
            {"name": "train-00000-of-00002.parquet", "size": …}]}}}}

It is hidden, so that programs that read every file of a folder pass it by.
"""

from pathlib import Path
from typing import Literal, Self

import msgspec

from dshub.errors import DshubError, StoreError
from dshub.files import read_file, replace_file
from dshub.manifest import Feature
from dshub.store.owners import own_name
from dshub.untrusted import Count, FileName, decode

NAME = ".dshub-export.json"


class File(msgspec.Struct, frozen=True):
    """A file of a shard: its name, and bytes."""

    name: FileName
    size: Count

    @classmethod
    def moved(cls, path: Path, target: Path) -> Self:
        """A finished file, moved to its name; raises OSError."""
        found = cls(target.name, path.stat().st_size)
        path.replace(target)
        return found

    def is_in(self, folder: Path) -> bool:
        """Whether it is there, as large as it was."""
        path = folder / self.name
        return path.is_file() and path.stat().st_size == self.size


class SplitRecord(msgspec.Struct, frozen=True, kw_only=True):
    """How far a split has come.

    Attributes:
        dataset: name and version.
        split: the expression that was asked for.
        fingerprint: of the rows and columns.
        revision: of the exporter.
        shards: how many there will be.
        features: what the columns hold, with names of classes: what some formats cannot say.
        done: the files of each shard that is complete, by its number.
    """

    dataset: str
    split: str
    fingerprint: str
    revision: Count
    rows: Count
    shards: Count
    features: dict[str, Feature]
    done: dict[str, tuple[File, ...]] = {}

    @property
    def plan(self) -> tuple[object, ...]:
        """What tells this work from another."""
        return (self.fingerprint, self.revision, self.rows, self.shards)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What has been exported to a folder, in one format."""

    schema: Literal[1] = 1
    format: str
    splits: dict[str, SplitRecord] = {}

    def with_split(self, name: str, split: SplitRecord | None) -> "Record":
        """The same, with another state of a split; without it where that is None."""
        others = {key: item for key, item in self.splits.items() if key != name}
        return Record(format=self.format, splits=others | ({} if split is None else {name: split}))

    def write(self, folder: Path) -> None:
        """Put it in a folder in one step; raises OSError."""
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        replace_file(folder / NAME, data, folder / own_name("partial"))


def read(folder: Path, wanted: str) -> Record:
    """The record of a folder; an empty one where it has none.

    Raises:
        DshubError: the folder holds an export in another format.
        StoreError: the record cannot be understood.
    """
    path = folder / NAME
    try:
        found = decode(read_file(path), Record)
    except FileNotFoundError:
        return Record(format=wanted)
    except (OSError, ValueError) as error:
        hint = "remove it, and what was exported there, and begin anew"
        raise StoreError(path=str(path), action="read", reason=str(error), hint=hint) from error
    if found.format != wanted:
        hint = "a folder holds one format: name another folder"
        raise DshubError(f"{folder} holds an export to {found.format}, not {wanted}", hint=hint)
    return found
