"""Rows as files of other programs: one file per format, with an `exporter` that writes it.

An exporter writes one shard at a time, from rows that come in blocks, so memory stays the same
however large a split is. `dshub.export.export` divides splits into shards, gives each its final
name when it is complete, and notes what is done, so that a later call goes on where an earlier
one stopped. The same rows give the same bytes, for one version of Pillow and Arrow.

A new format is a new file here, named as people will write it after `--to`. Third-party packages
add theirs through entry points of the group `dshub.export`.
"""

from pathlib import Path
from typing import Literal, Protocol

from dshub.export._rows import Rows, refuse
from dshub.export._running import Exported, Written, export

__all__ = ["Exported", "Exporter", "Rows", "Written", "export", "refuse"]


class Exporter(Protocol):
    """What a format's file offers as `exporter`.

    Attributes:
        kind: `shards` of about one size; `one` file for a split; or a `folder` of many files.
        suffixes: how the names of a shard's files end, the one that matters last; none for a
            folder.
        revision: raised when the same rows would give other bytes.
    """

    kind: Literal["shards", "one", "folder"]
    suffixes: tuple[str, ...]
    revision: int

    def check(self, rows: Rows) -> None:
        """Refuse a split that the format cannot hold, before anything is written.

        Raises:
            DshubError: says which column, and what to do; see `refuse`.
        """

    def write(self, path: Path, rows: Rows) -> None:
        """Write the rows: files named `path` with each suffix, or files below the folder `path`.

        Raises:
            DshubError: a row holds what the format cannot.
            OSError: as the system says it; it is translated by the caller.
        """
