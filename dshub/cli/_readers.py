"""Check the readers of a manifest without the files of the dataset."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from dshub import formats
from dshub.catalog.faults import Fault
from dshub.catalog.manifest import Join, Manifest, Match
from dshub.errors import DshubError, ManifestError, MissingExtraError, ReadError


def reader_faults(manifest: Manifest) -> Iterator[Fault]:
    """Options that a reader rejects, and parts that it cannot read, also in steps."""
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
        return  # of this machine, not of the manifest
    except DshubError as error:
        if not any(file.is_used for of_part in files.values() for file in of_part):
            yield Fault(place, error.reason if isinstance(error, ReadError) else str(error))


class _Empty:
    """A file without content: readers check their options and parts before they use a file.

    An error that comes later is about the content.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_used = False

    @property
    def member(self) -> str:
        """No member of an archive."""
        self.is_used = True
        return ""

    def open(self) -> BinaryIO:
        """No bytes."""
        self.is_used = True
        return io.BytesIO()

    def check_size(self, size: int) -> None:
        """Allow any size."""
        self.is_used = True
