"""Read and write columns in the names of archive members.

`train/{label}/images/{name}.JPEG` works like a Python format string. A field is

* `{name}`: text without `/`, as long as possible, so a field before `_` can contain `_`;
* `{name:path}`: text that can span several folders;
* `{name:d}`, `{name:05d}`: an integer, plain or zero-padded to a width.

Every name also has the columns `file`, the name relative to the folder with the first field, and
`stem`, which is `file` without its extension. Lists of files use one of these two.
"""

import re
from bisect import bisect_right
from string import Formatter
from typing import NamedTuple

LONGEST_NAME = 255  # characters in a file or folder name, the limit of most file systems
LONGEST_PATH = 4096  # characters
MOST_FIELDS = 32
DERIVED = ("file", "stem")
_SPEC = re.compile(r"(?:path|d|0([1-9])d)?")
_DIGITS = re.compile(r"[0-9]{0,18}")


class Field(NamedTuple):
    """A column in a path.

    Attributes:
        width: minimum number of digits of an integer; None for text.
        folders: whether the value can contain `/`.
    """

    name: str
    width: int | None
    folders: bool

    def reach(self, member: str, start: int) -> int:
        """Return the end of the longest value that starts at a position."""
        if self.width is not None:
            return _DIGITS.match(member, start).end()  # type: ignore[union-attr]  # or empty
        if self.folders:
            return len(member)
        slash = member.find("/", start, start + LONGEST_NAME)
        return slash if slash >= 0 else start + LONGEST_NAME


class MemberName:
    """A pattern for member names.

    Args:
        path: literal text, with columns in braces.

    Raises:
        ValueError: `path` has no column, an invalid or repeated column, or two columns without
            text between them.
    """

    def __init__(self, path: str) -> None:
        fields: list[Field] = []
        literals = [""]  # text before each field, and after the last
        for literal, name, spec, conversion in Formatter().parse(path):
            literals[-1] += literal  # escaped braces split a literal
            if name is not None:
                if fields and not literals[-1]:
                    raise ValueError(f"{path!r} has no text between two columns")
                fields.append(_field(path, name, spec or "", conversion))
                literals.append("")
        names = [*DERIVED, *(field.name for field in fields)]
        if not 0 < len(fields) <= MOST_FIELDS:
            example = "such as train/{label}/{name}.jpg"
            raise ValueError(f"{path!r} must have 1 to {MOST_FIELDS} columns in braces, {example}")
        if len(set(names)) < len(names):
            raise ValueError(f"{path!r} repeats a column, or names one {' or '.join(DERIVED)}")
        self.fields = tuple(fields)
        self._begin, *self._literals = literals
        self._fixed = max(self._begin.rfind("/"), self._begin.rfind(":")) + 1

    def read(self, member: str) -> dict[str, str | int] | None:
        """Return the columns of a name, with `file` and `stem`, or None if it does not match."""
        texts = self._texts(member) if len(member) <= LONGEST_PATH else None
        if texts is None:
            return None
        columns: dict[str, str | int] = {}
        for field, text in zip(self.fields, texts, strict=True):
            if field.width is None:
                columns[field.name] = text
            elif len(text) == max(field.width, len(str(int(text)))):
                columns[field.name] = int(text)
            else:  # otherwise 01 and 1 would read as the same number
                return None
        return columns | self.derived(member)

    def _texts(self, member: str) -> list[str] | None:
        """Return the text of each field, matched greedily in linear time; None if none match."""
        if not member.startswith(self._begin) or not member.endswith(self._literals[-1]):
            return None
        ends = [[len(member) - len(self._literals[-1])]]  # possible ends, last field first
        for field, literal in zip(self.fields[:0:-1], self._literals[-2::-1], strict=True):
            ends.append(self._ends(member, literal, field, ends[-1]))
        texts, start = [], len(self._begin)
        for field, literal in zip(self.fields, self._literals, strict=True):
            places = ends.pop()
            index = bisect_right(places, field.reach(member, start))
            if not index or places[index - 1] <= start:
                return None
            texts.append(member[start : places[index - 1]])
            start = places[index - 1] + len(literal)
        return texts

    def _ends(self, member: str, literal: str, field: Field, ends: list[int]) -> list[int]:
        """Return the positions of `literal` where a following `field` can reach one of `ends`."""
        places = []
        place = member.find(literal, len(self._begin) + 1)
        while place >= 0:
            start = place + len(literal)
            after = bisect_right(ends, start)  # only the nearest end matters
            if after < len(ends) and ends[after] <= field.reach(member, start):
                places.append(place)
            place = member.find(literal, place + 1)
        return places

    def derived(self, member: str) -> dict[str, str]:
        """Return the columns `file` and `stem` of a name."""
        file = member[self._fixed :]
        dot = file.rfind(".")
        return {"file": file, "stem": file[:dot] if dot > file.rfind("/") + 1 else file}

    def write(self, columns: dict[str, str | int]) -> str:
        """Return the member name for the values of the columns."""
        texts = [str(columns[field.name]).rjust(field.width or 0, "0") for field in self.fields]
        pairs = zip(texts, self._literals, strict=True)
        return self._begin + "".join(text + literal for text, literal in pairs)


def _field(path: str, name: str, spec: str, conversion: str | None) -> Field:
    form = _SPEC.fullmatch(spec)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or form is None or conversion:
        expected = "a column must be {name}, {name:path}, {name:d} or {name:05d}"
        raise ValueError(f"{path!r}: {expected}")
    width = int(form[1] or 1) if spec.endswith("d") else None
    return Field(name, width, spec == "path")
