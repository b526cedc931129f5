"""Check the reader options in a manifest without the files of the dataset."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from dshub import formats
from dshub.catalog.faults import Fault
from dshub.catalog.manifest import Join, Manifest, Match
from dshub.errors import DshubError, ManifestError, MissingExtraError, ReadError


def reader_faults(manifest: Manifest) -> Iterator[Fault]:
    """Yield a fault for each option or part that a reader of a split or step rejects."""
    for name, split in manifest.splits.items():
        parts = {part: split.references(part) for part in split.reader_parts}
        yield from _faults(f"splits.{name}.reader", split.reader, parts)
        for i, step in enumerate(split.steps):
            if isinstance(step, Match | Join):
                files = {step.part: split.references(step.part)}
                yield from _faults(f"splits.{name}.steps[{i}].reader", step.reader, files)


def _faults(
    place: str, options: Mapping[str, Any], parts: Mapping[str, Sequence[str]]
) -> Iterator[Fault]:
    files = {part: [_Empty(name) for name in names] for part, names in parts.items()}
    try:
        reader = formats.create(options, place=place)
        next(iter(reader.read(files)), None)
    except ManifestError as error:
        yield from (fault for fault in error.faults if isinstance(fault, Fault))
    except MissingExtraError:
        return  # a missing package is not a fault of the manifest
    except DshubError as error:
        if not any(file.is_used for part in files.values() for file in part):
            yield Fault(place, error.reason if isinstance(error, ReadError) else str(error))


class _Empty:
    """An empty file that records whether a reader used it.

    Readers check their options and parts before they use files. Later errors are caused by the
    missing content and can be ignored.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_used = False

    @property
    def member(self) -> str:
        """Member name; empty, as for a file outside an archive."""
        self.is_used = True
        return ""

    def open(self) -> BinaryIO:
        """Return an empty stream."""
        self.is_used = True
        return io.BytesIO()

    def check_size(self, size: int) -> None:
        """Accept every size."""
        self.is_used = True
