"""Match names of files and folders in any Unicode form and case, and the files that others name.

macOS stores `é` as `e` and an accent in some archives (NFD), and other systems as one character
(NFC, Unicode Standard Annex 15). Windows and macOS ignore case. So a table written on one system
can spell the name of a file from another system differently.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from dshub.errors import ReadError

T = TypeVar("T")

_LONGEST = 1024  # characters to normalize at most, because that takes quadratic time
_ROLES = {"image", "images", "img", "imgs", "jpegimages", "photos", "pictures", "rgb"}
_ROLES |= {"annotation", "annotations", "annots", "label", "labels", "xml", "xmls", "txt", "bbox"}


def composed(name: str) -> str:
    """Return a name in Unicode normalization form C."""
    is_plain = name.isascii() or len(name) > _LONGEST
    return name if is_plain else unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """Return a key that is equal for the spellings of a name."""
    return name.lower() if name.isascii() else composed(composed(name).casefold())


class FileNames:
    """Names of files, which can be found in other spellings.

    Args:
        names: names as they are stored.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names if isinstance(names, set | dict) else set(names)
        self._spellings: dict[str, list[str]] | None = None

    def find(self, name: str) -> list[str]:
        """Return the stored names that a name means.

        These are the name itself, or else the names that differ only in Unicode form, or else those
        that differ also in case. More than one name is ambiguous.
        """
        if name in self._names:
            return [name]
        if self._spellings is None:  # rarely needed
            self._spellings = {}
            for stored in self._names:
                self._spellings.setdefault(folded(stored), []).append(stored)
        similar = sorted(self._spellings.get(folded(name), ()))
        return [other for other in similar if composed(other) == composed(name)] or similar


def plain(name: str) -> str:
    r"""Return a name in composed Unicode (NFC), with `/` for `\` and without `./`."""
    return composed(name).replace("\\", "/").removeprefix("./")


def parts_of(name: str, *, stems: bool) -> tuple[str, ...]:
    """Return the parts of a path, the last one first.

    Args:
        name: path of a file.
        stems: whether to leave out the extension, and folders named like `images` and `labels`, in
            which the names of an image and of its annotations differ.
    """
    folders, _, base = plain(name).rpartition("/")
    parts = [part for part in folders.split("/") if part]
    if stems:
        base = base.rpartition(".")[0] or base
        parts = [part for part in parts if part.lower() not in _ROLES]
    return base, *reversed(parts)


class Names(Generic[T]):
    """Files that other files name, with some of their folders or none.

    Case and the normalization of Unicode do not matter if only one file matches.

    Args:
        files: files by name.
        stems: whether names lack the extension, or have that of another format.
    """

    def __init__(self, files: Mapping[str, T], *, stems: bool = False) -> None:
        self._stems = stems
        self._files = defaultdict[str, list[tuple[tuple[str, ...], str, T]]](list)
        for name, file in files.items():
            parts = parts_of(name, stems=stems)
            self._files[folded(parts[0])].append((parts, name, file))

    def find(self, name: str) -> T | None:
        """Return the file with the most folders in common, or None if no file has the name.

        Raises:
            ReadError: several files match equally well.
        """
        parts = parts_of(name, stems=self._stems)
        candidates = self._files.get(folded(parts[0]), ())
        if len(candidates) < 2:
            return candidates[0][2] if candidates else None
        scores = [(_common(parts, own), own[0] == parts[0], -len(own)) for own, _, _ in candidates]
        best = max(scores)
        found = [item for item, score in zip(candidates, scores, strict=True) if score == best]
        if len(found) > 1:
            (_, first, _), (_, second, _), *_ = found
            reason = f"{name!r} can be {first} or {second}"
            raise ReadError(file=first, reason=reason, hint="keep one of these files")
        return found[0][2]


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the number of equal leading items, without regard to case."""
    pairs = zip(first, second, strict=False)
    differing = (i for i, (a, b) in enumerate(pairs) if folded(a) != folded(b))
    return next(differing, min(len(first), len(second)))
