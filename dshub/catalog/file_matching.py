"""Find the files that other files name, and the annotations of an image."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from dshub.catalog.file_names import composed
from dshub.errors import ReadError

T = TypeVar("T")

_ROLES = {"image", "images", "img", "imgs", "jpegimages", "photos", "pictures", "rgb"}
_ROLES |= {"annotation", "annotations", "annots", "label", "labels", "xml", "xmls", "txt", "bbox"}


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
            self._files[parts[0].casefold()].append((parts, name, file))

    def find(self, name: str) -> T | None:
        """Return the file with the most folders in common, or None if no file has the name.

        Raises:
            ReadError: several files match equally well.
        """
        parts = parts_of(name, stems=self._stems)
        candidates = self._files.get(parts[0].casefold(), ())
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
    differing = (i for i, (a, b) in enumerate(pairs) if a.casefold() != b.casefold())
    return next(differing, min(len(first), len(second)))
