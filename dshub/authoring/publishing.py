"""Files that appear beside each other as a whole, or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from dshub import archives
from dshub.errors import DiskFullError, DshubError, StoreError
from dshub.progress import Progress, Task, size


class Staged:
    """A manifest, and the archive of a folder beside it, until both are known to be right.

    Until `publish`, everything lies under hidden names; whatever ends the work before that, an
    interruption too, takes those away, and folders that were made for them.

    Args:
        manifest: where it is to lie.
        archive: the name of the archive beside it.
        force: whether files that are there already may be replaced.

    Raises:
        DshubError: one of them is there already.
    """

    def __init__(self, manifest: Path, archive: str, *, force: bool) -> None:
        self.manifest, self.archive = manifest, manifest.with_name(archive)
        for path in (self.manifest, self.archive):
            if not force and os.path.lexists(path):
                raise DshubError(
                    f"{path} is there already",
                    hint="choose another place with -o or another --name, or --force to replace it",
                )
        self._hidden = {
            path: path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            for path in (self.manifest, self.archive)
        }
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        folder = self.manifest.parent
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        with _written(folder):
            for path in reversed(missing):
                path.mkdir(exist_ok=True)
                self._made.append(path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for path in self._hidden.values():
            path.unlink(missing_ok=True)
        for path in reversed(self._made):
            if not any(path.iterdir()):
                path.rmdir()

    def pack(self, members: Sequence[tuple[str, Path]], progress: Progress) -> Path:
        """Make a tar of files, uncompressed, of no time and nobody: same files, same bytes.

        Returns:
            Where it lies until it is published.

        Raises:
            StoreError: a file cannot be read, or the archive not be written.
        """
        hidden, packing = self._hidden[self.archive], archives.container_for("a.tar")
        assert packing is not None  # noqa: S101  # it is one of ours
        with _written(self.archive):
            total = sum(path.stat().st_size for _, path in members)
            free = shutil.disk_usage(hidden.parent).free
            if free < total:
                reason = f"{size(total)} are to be packed and {size(free)} are free"
                raise DiskFullError(path=str(self.archive), reason=reason)
            with Task(progress, f"packing {self.archive.name}", total) as task:
                packing.write_members(hidden, _told(members, task))
        return hidden

    def publish(self, text: str) -> None:
        """Let both appear, the archive first; raises StoreError."""
        hidden = self._hidden[self.manifest]
        with _written(self.manifest):
            with hidden.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            if self._hidden[self.archive].exists():
                self._hidden[self.archive].replace(self.archive)
            hidden.replace(self.manifest)


def _told(members: Sequence[tuple[str, Path]], task: Task) -> Iterator[tuple[str, Path]]:
    for name, path in members:
        yield name, path
        task.advance(path.stat().st_size)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason, where = error.strerror or str(error), str(error.filename or path)
        hint = "choose another place with -o"
        raise StoreError(path=where, action="write", reason=reason, hint=hint) from error
