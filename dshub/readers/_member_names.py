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
from dataclasses import dataclass
from string import Formatter

LONGEST_NAME = 255  # characters of a file's or folder's name, as file systems have it
LONGEST_PATH = 4096  # characters; also bounds how long a hostile name can keep the matching busy
DERIVED = ("file", "stem")
_SPEC = re.compile(r"(?:path|d|0([1-9])d)?")


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

    @property
    def pattern(self) -> str:
        """A group of a regular expression."""
        if self.width is not None:
            return f"(?P<{self.name}>[0-9]{{1,18}})"
        form = rf".{{1,{LONGEST_PATH}}}" if self.folders else rf"[^/]{{1,{LONGEST_NAME}}}"
        return f"(?P<{self.name}>{form})"


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
        pattern = "".join(
            piece.pattern if isinstance(piece, Field) else re.escape(piece)
            for piece in self._pieces
        )
        self._match = re.compile(pattern, re.DOTALL).fullmatch
        begin = self._pieces[0] if isinstance(self._pieces[0], str) else ""
        self._fixed = max(begin.rfind("/"), begin.rfind(":")) + 1

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
        found = self._match(member) if len(member) <= LONGEST_PATH else None
        if found is None:
            return None
        columns: dict[str, str | int] = {}
        for field in self.fields:
            text = found[field.name]
            if field.width is None:
                columns[field.name] = text
            elif len(text) == max(field.width, len(str(int(text)))):
                columns[field.name] = int(text)
            else:  # 01 where 1 is written: two names would be one number
                return None
        return columns | self.derived(member)

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
