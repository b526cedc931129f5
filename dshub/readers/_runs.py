"""Rows that go into several files of one part, and the parts that a format takes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from dshub.errors import ReadError

if TYPE_CHECKING:
    from dshub.readers import File, Output


def runs(rows: pa.RecordBatch, output: "Output") -> Iterator[tuple[str, pa.RecordBatch]]:
    """The name of each file, and the rows that it gets: the same number each, in their order."""
    names = [_name(member) for member in output.members]
    for i, name in enumerate(names):
        begin, end = (rows.num_rows * place // len(names) for place in (i, i + 1))
        yield name, rows.slice(begin, end - begin)


def _name(member: str) -> str:
    """A name that a pattern fits; a plain name is itself."""
    return re.sub(r"\[(\w)[^]]{0,99}\]", r"\1", member.replace("*", "0").replace("?", "0"))


def only_part(files: Mapping[str, Sequence["File"]], form: str) -> Sequence["File"]:
    """The files of the one part that there is.

    Raises:
        ReadError: there are several, and the format does not tell them apart.
    """
    if len(files) != 1:
        names = ", ".join(file.name for found in files.values() for file in found)
        reason = f"{form} is read from one part, but the parts are {', '.join(files)}"
        raise ReadError(file=names, reason=reason)
    return next(iter(files.values()))
