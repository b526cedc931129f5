"""What the names of members say: columns, written into a path.

`train/{label}/images/{name}.JPEG` is read and written like Python's format strings. A field is

* `{name}`: text without `/`, as long as it can be (so the first field before a `_` ends at the
  last one);
* `{name:path}`: text that may go over several folders;
* `{name:d}`, `{name:05d}`: a whole number, without or with leading zeros up to a width.

Two columns come besides: `file`, the name from the folder on in which the first field stands,
and `stem`, the same without the file's ending. Lists of files name them by one or the other.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from string import Formatter

LONGEST_NAME = 255  # characters of a file's or folder's name, as file systems have it
LONGEST_PATH = 4096  # characters
MOST_FIELDS = 32
DERIVED = ("file", "stem")
_SPEC = re.compile(r"(?:path|d|0([1-9])d)?")
_DIGITS = re.compile(r"[0-9]{0,18}")


@dataclass(frozen=True)
class Field:
    """A column in a path.

    Attributes:
        width: digits at least, for a number; None for text.
        folders: whether it may hold `/`.
    """

    name: str
    width: int | None
    folders: bool

    def reach(self, member: str, start: int) -> int:
        """Where the longest value that starts there ends."""
        if self.width is not None:
            return _DIGITS.match(member, start).end()  # type: ignore[union-attr]  # or empty
        if self.folders:
            return len(member)
        slash = member.find("/", start, start + LONGEST_NAME)
        return slash if slash >= 0 else start + LONGEST_NAME


class MemberName:
    """How the members of a part are named.

    Args:
        path: literal text, with columns in braces.

    Raises:
        ValueError: it cannot be read back: no field, one that is unknown or there twice, two
            without anything between.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._pieces: list[str | Field] = []
        for literal, name, spec, conversion in Formatter().parse(path):
            if literal and self._pieces and isinstance(self._pieces[-1], str):
                self._pieces[-1] += literal  # a brace that is text cuts it in two
            elif literal:
                self._pieces.append(literal)
            if name is not None:
                self._pieces.append(self._field(name, spec or "", conversion))
        self.fields = tuple(piece for piece in self._pieces if isinstance(piece, Field))
        if not self.fields:
            raise ValueError(f"{path!r} holds no column in braces: train/{{label}}/{{name}}.jpg")
        if len(self.fields) > MOST_FIELDS:
            raise ValueError(f"{path!r} holds more than {MOST_FIELDS} columns")
        self._begin = self._pieces[0] if isinstance(self._pieces[0], str) else ""
        literals = [piece for piece in self._pieces[1:] if isinstance(piece, str)]
        self._literals = literals if isinstance(self._pieces[-1], str) else [*literals, ""]
        self._fixed = max(self._begin.rfind("/"), self._begin.rfind(":")) + 1

    def _field(self, name: str, spec: str, conversion: str | None) -> Field:
        form = _SPEC.fullmatch(spec)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or form is None or conversion:
            told = "a column is {name}, {name:path}, {name:d} or {name:05d}"
            raise ValueError(f"{self._path!r}: {told}")
        before = [piece.name for piece in self._pieces if isinstance(piece, Field)]
        if name in {*DERIVED, *before}:
            raise ValueError(f"{self._path!r} gives {name!r} twice, or what dshub gives anyway")
        if self._pieces and isinstance(self._pieces[-1], Field):
            raise ValueError(f"{self._path!r} has nothing between {before[-1]!r} and {name!r}")
        width = int(form[1] or 1) if spec.endswith("d") else None
        return Field(name, width, spec == "path")

    def read(self, member: str) -> dict[str, str | int] | None:
        """The columns that a name holds, `file` and `stem` too; None if it is not named so."""
        texts = self._texts(member) if len(member) <= LONGEST_PATH else None
        if texts is None:
            return None
        columns: dict[str, str | int] = {}
        for field, text in zip(self.fields, texts, strict=True):
            if field.width is None:
                columns[field.name] = text
            elif len(text) == max(field.width, len(str(int(text)))):
                columns[field.name] = int(text)
            else:  # 01 where 1 is written: two names would be one number
                return None
        return columns | self.derived(member)

    def _texts(self, member: str) -> list[str] | None:
        """The text of each field, the first one as long as it can be; in linear time."""
        if not member.startswith(self._begin) or not member.endswith(self._literals[-1]):
            return None
        ends = [[len(member) - len(self._literals[-1])]]  # of each field, from the last one
        for field, literal in zip(self.fields[:0:-1], self._literals[-2::-1], strict=True):
            ends.append(self._ends(member, literal, field, ends[-1]))
        texts, start = [], len(self._begin)
        for field, literal in zip(self.fields, self._literals, strict=True):
            end = _last(ends.pop(), field.reach(member, start))
            if end <= start:
                return None
            texts.append(member[start:end])
            start = end + len(literal)
        return texts

    def _ends(self, member: str, literal: str, field: Field, ends: list[int]) -> list[int]:
        """Where a literal stands from which a field reaches one of the ends."""
        places = []
        place = member.find(literal, len(self._begin) + 1)
        while place >= 0:
            start = place + len(literal)
            after = bisect_right(ends, start)  # what fits at all fits up to the next end
            if after < len(ends) and ends[after] <= field.reach(member, start):
                places.append(place)
            place = member.find(literal, place + 1)
        return places

    def derived(self, member: str) -> dict[str, str]:
        """The columns `file` and `stem`."""
        file = member[self._fixed :]
        dot = file.rfind(".")
        return {"file": file, "stem": file[:dot] if dot > file.rfind("/") + 1 else file}

    def write(self, columns: dict[str, str | int]) -> str:
        """The name that holds these columns."""
        return "".join(
            piece
            if isinstance(piece, str)
            else str(columns[piece.name]).rjust(piece.width or 0, "0")
            for piece in self._pieces
        )


def _last(places: list[int], most: int) -> int:
    """The last of some places up to a limit; -1 for none."""
    at = bisect_right(places, most)
    return places[at - 1] if at else -1
