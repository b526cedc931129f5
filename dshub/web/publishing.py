"""Writing a page so that a reader sees the old one or the new one, and nothing that did not change.

What lies below `catalogue/` in the target is the pages'; the first page is `index.html`. A page
is known as ours by what it says of its generator: nobody else's is written over or removed.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from dshub.errors import StoreError
from dshub.files import replace_file
from dshub.store.faults import disk_faults
from dshub.store.owners import is_orphan, own_name

BELOW = PurePosixPath("catalogue")
PAGE = "index.html"
CARD = "card.webp"  # beside a dataset's page: what the first page shows of it

_WRITING = "writing-"
_BEGINNING = 400  # bytes of a page in which its generator stands


class Publisher:
    """Writes the files of a catalogue.

    Args:
        target: the folder of the first page; made where it is missing.
        generator: what pages of ours say of it.

    Attributes:
        written: the files that changed, relative to the target, in order.
        kept: how many had the same bytes before.
    """

    def __init__(self, target: Path, generator: str) -> None:
        self._target = target
        self._mark = f'<meta name="generator" content="{generator}">'.encode()
        self.written: list[PurePosixPath] = []
        self.kept = 0

    def check(self) -> None:
        """Raise StoreError where the first page's place is taken by somebody else's."""
        first = self._target / PAGE
        if first.exists() and not self._is_ours(first):
            hint = "choose an empty folder, or move that page away"
            reason = "it is not a page that dshub wrote"
            raise StoreError(path=str(first), action="replace", reason=reason, hint=hint)

    def publish(self, name: PurePosixPath, data: bytes) -> None:
        """Write a file by rename, if its bytes are other ones than those that are there.

        Raises:
            StoreError: the folder cannot be written.
        """
        path = self._target / name
        with disk_faults(path, "write"):
            if path.is_file() and path.read_bytes() == data:
                self.kept += 1
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, data, path.parent / own_name(_stem(path)))
        self.written.append(name)

    def sweep(self, wanted: Iterable[PurePosixPath]) -> list[PurePosixPath]:
        """Remove pages of ours, with the cards beside them, that are not among those wanted.

        What was left by runs that were killed goes too.

        Returns:
            What was removed, sorted.
        """
        keep, below = {self._target / name for name in wanted}, self._target / BELOW
        removed = []
        for left in [*self._target.glob(f"{_WRITING}*"), *below.rglob(f"{_WRITING}*")]:
            if is_orphan(left):
                left.unlink(missing_ok=True)
        for page in sorted(below.rglob(PAGE)):
            if page in keep or not self._is_ours(page):
                continue
            removed += list(self._removed(page, keep))
        return removed

    def _removed(self, page: Path, keep: set[Path]) -> Iterator[PurePosixPath]:
        for path in (page, page.with_name(CARD)):
            if path.is_file() and path not in keep:
                with disk_faults(path, "remove"):
                    path.unlink()
                yield PurePosixPath(path.relative_to(self._target).as_posix())
        for folder in (page.parent, page.parent.parent):
            with suppress(OSError):  # a family of which other members are there
                folder.rmdir()

    def _is_ours(self, path: Path) -> bool:
        with disk_faults(path, "read"), path.open("rb") as file:
            return self._mark in file.read(_BEGINNING)


def _stem(path: Path) -> str:
    """A name for what is being written, without the dots that end a stem."""
    return f"{_WRITING}{path.name.replace('.', '-')}"
