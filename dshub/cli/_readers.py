"""What is wrong with the readers of a manifest, seen without a file of the dataset."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

from dshub import formats
from dshub.catalog.faults import Fault
from dshub.catalog.manifest import Join, Manifest, Match
from dshub.errors import DshubError, ManifestError, MissingExtraError, ReadError


def reader_faults(manifest: Manifest) -> Iterator[Fault]:
    """Options that a reader refuses, and parts that it cannot read; those of steps too."""
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
    try:
        reader = formats.create(options, place=place)
        files = {part: [_Closed(item) for item in found] for part, found in parts.items()}
        next(iter(reader.read(files)), None)
    except _Looked:
        return
    except ManifestError as error:
        yield from (fault for fault in error.faults if isinstance(fault, Fault))
    except MissingExtraError:
        return  # of this machine, not of the manifest
    except ReadError as error:
        yield Fault(place, error.reason)
    except DshubError as error:
        yield Fault(place, str(error))


class _Looked(BaseException):  # no error: a reader has come to its files
    """Everything that can be said without a file was right."""


class _Closed:
    """A file that is not here: a reader checks its options and parts before it looks at one."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def member(self) -> str:
        """Which of a pattern's members it is, nobody knows."""
        raise _Looked

    def open(self) -> AbstractContextManager[BinaryIO]:
        """There is nothing to open."""
        raise _Looked

    def check_size(self, size: int) -> None:
        """There is nothing to measure."""
        raise _Looked
