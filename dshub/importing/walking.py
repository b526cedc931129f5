"""List the files below a folder, without the files of systems and programs.

Links to files and folders are followed, because Hugging Face, DVC and git-annex create folders of
links. A link to a folder that contains the link is skipped. Below a link, other links are followed
once for each folder, so that links in circles end.
"""

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG

Place = tuple[str, ...]
"""Names of the folders of a file, below the root."""

HIDDEN = "hidden files"
SPECIAL = "special files"
BROKEN = "broken links"
ANNEXED = "links of git-annex without their files, which `git annex get` downloads"
CYCLES = "links to folders that contain the links"
_JUNK = {
    "__macosx",
    "@eadir",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "__pycache__",
    "checkpoints",
    "lightning_logs",
    "wandb",
    "mlruns",
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
}
_ANNEX = f"annex{os.sep}objects{os.sep}"


def is_junk(name: str) -> bool:
    """Return True for the name of a hidden file, or of one that a system or program leaves."""
    return name[:1] == "." or name.lower() in _JUNK


@dataclass
class Listing:
    """Files below a folder.

    Attributes:
        places: names of the files in each folder, sorted. Folders without files are listed, too.
        skipped: paths of skipped files and folders, by reason.
        links: paths of the links that were followed.
    """

    places: dict[Place, list[str]] = field(default_factory=dict)
    skipped: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    links: list[str] = field(default_factory=list)


def list_files(root: Path, *, everything: bool = False) -> Listing:
    """List the files below a folder.

    Args:
        root: path of the folder.
        everything: list hidden files, too, and skip folders that cannot be read.

    Raises:
        OSError: a folder cannot be read.
    """
    walk = _Walk(os.fspath(root), everything=everything)
    waiting: list[tuple[Place, bool]] = [((), False)]
    while waiting:
        place, linked = waiting.pop()
        with suppress(*([OSError] if everything else [])):
            waiting += reversed(walk.scan(place, linked=linked))
    return walk.listing


class _Walk:
    def __init__(self, root: str, *, everything: bool) -> None:
        self.listing = Listing()
        self._root, self._everything = root, everything
        self._entered = set[tuple[int, int]]()  # targets of links

    def scan(self, place: Place, *, linked: bool) -> list[tuple[Place, bool]]:
        """List a folder, and return its sorted subfolders, and whether they are below a link."""
        names, folders, links = self._entries(place)
        subfolders = dict.fromkeys(folders, linked)
        for name in sorted(links):
            self._follow(place, name, names, subfolders, linked=linked)
        self.listing.places[place] = sorted(names)
        return [((*place, name), subfolders[name]) for name in sorted(subfolders)]

    def _entries(self, place: Place) -> tuple[list[str], list[str], list[str]]:
        """Return the names of the files, folders and links in a folder."""
        names: list[str] = []
        folders: list[str] = []
        links: list[str] = []
        with os.scandir(self._path(place)) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    names.append(entry.name)
                elif entry.is_symlink():
                    links.append(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    self._skip(SPECIAL, place, entry.name)
        for group in () if self._everything else (names, folders, links):
            if any(name[0] == "." for name in group) or not _JUNK.isdisjoint(map(str.lower, group)):
                for name in filter(is_junk, group):
                    self._skip(HIDDEN, place, name)
                group[:] = [name for name in group if not is_junk(name)]
        return names, folders, links

    def _path(self, place: Place) -> str:
        return os.path.join(self._root, *place)  # noqa: PTH118  # a Path takes ten times as long

    def _skip(self, reason: str, place: Place, name: str) -> None:
        self.listing.skipped[reason].append("/".join((*place, name)))

    def _follow(
        self, place: Place, name: str, names: list[str], folders: dict[str, bool], *, linked: bool
    ) -> None:
        """Add the target of a link to the names of files or folders, or skip the link."""
        path = self._path((*place, name))
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:  # also for a link to itself
            annexed = _ANNEX in os.readlink(path)  # noqa: PTH115
            self._skip(ANNEXED if annexed else BROKEN, place, name)
            return
        target = status.st_dev, status.st_ino
        if S_ISDIR(status.st_mode):
            if self._contains(target, place) or (linked and target in self._entered):
                self._skip(CYCLES, place, name)
                return
            self._entered.add(target)
            folders[name] = True
        elif S_ISREG(status.st_mode):
            names.append(name)
        else:
            self._skip(SPECIAL, place, name)
            return
        self.listing.links.append("/".join((*place, name)))

    def _contains(self, target: tuple[int, int], place: Place) -> bool:
        """Return True if a folder is one of those above a place, or the place."""
        for depth in range(len(place) + 1):
            status = os.stat(self._path(place[:depth]))  # noqa: PTH116
            if (status.st_dev, status.st_ino) == target:
                return True
        return False
