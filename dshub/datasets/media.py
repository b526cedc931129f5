"""Find the image and audio files below a folder, and the tables beside them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from dshub.cache.pointers import LONGEST, pointer_in
from dshub.datasets.file_tables import TABLES
from dshub.datasets.trees import Split, count_endings, counted, shown
from dshub.errors import ReadError
from dshub.importing.walking import ANNEXED, BROKEN, CYCLES, SPECIAL, Listing, Place

_PHOTOS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".gif",
    ".bmp",
    ".dib",
    ".webp",
    ".tif",
    ".tiff",
)
IMAGES = (*_PHOTOS, ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".j2k", ".jpx", ".qoi")
AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".aifc")
_TEXTS = ".txt .md .rst .pdf .tex .bib .html .htm .doc .docx .log .json .xml .yaml .yml .toml .ini"
_CODE = ".cfg .py .ipynb .sh .bat .m .c .h .cpp .js .css .lock .url .lnk .dvc .md5 .sha256"
_DATA = ".xls .xlsx .npy .npz .mat .h5 .hdf5 .parquet .arrow .feather .db .sqlite .pkl .names .data"
_MODELS = ".pt .pth .ckpt .onnx .safetensors .pb .tflite .bin .tfevents"
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
OTHERS = {*_ARCHIVES, *TABLES, *f"{_TEXTS} {_CODE} {_DATA} {_MODELS}".split()}
"""Endings of files that are not images or audio files."""

_MEDIA = {*IMAGES, *AUDIO}
_UNNAMED = {
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "makefile",
    "dockerfile",
}
_UNNAMED |= {"changelog", "citation", "manifest", "md5sums", "sha256sums"}
MOST_LISTS = 100  # files `.txt` that can be tables or lists
_MOST_CHECKED = 100  # folders whose first file is checked


def is_other(name: str) -> bool:
    """Return True for the name of a file that is known not to be an image or audio file."""
    _, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" in OTHERS if dot else name.lower() in _UNNAMED


@dataclass
class MediaTree:
    """Image and audio files below a folder.

    Attributes:
        root: path of the folder.
        files: names of the image and audio files, by folder.
        tables: paths of tables.
        texts: paths of files `.txt`.
        folders: all folders.
        others: folders with files of other kinds, such as text.
        unknown: paths of files with other endings than those of `OTHERS`.
        archives: paths of archives.
        pointers: paths of pointers of DVC.
        skipped: paths of skipped files and folders, by reason.
    """

    root: Path
    files: dict[Place, list[str]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    folders: Collection[Place] = ()
    others: set[Place] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    pointers: list[str] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        """Paths of the image and audio files, sorted by folder."""
        return [
            "/".join((*place, name)) for place in sorted(self.files) for name in self.files[place]
        ]

    @property
    def possible_tables(self) -> list[str]:
        """Paths of tables, and of files `.txt` that can be tables or lists, as few of them are."""
        return sorted([*self.tables, *self.possible_lists])

    @property
    def possible_lists(self) -> list[str]:
        """Paths of files `.txt`; empty if there are many, such as a caption for each image."""
        return self.texts if len(self.texts) <= MOST_LISTS else []

    def rows(self, split: Split) -> list[tuple[str, str]]:
        """Return the class ("" if it has none) and the path of each file of a split, sorted."""
        places = sorted(split.places)
        if any(after[: len(place)] == place for place, after in pairwise(places)):
            paths = sorted((*place, name) for place in places for name in self.files[place])
            return [(split.labels.get(path[:-1], ""), "/".join(path)) for path in paths]
        rows: list[tuple[str, str]] = []  # without sorting, which takes as long as listing
        for place in places:
            label, above = split.labels.get(place, ""), "".join(f"{folder}/" for folder in place)
            rows += [(label, above + name) for name in self.files[place]]
        return rows

    def check_pointers(self, split: Split) -> None:
        """Check the first file of each of the first folders.

        Raises:
            ReadError: it is a pointer of Git LFS, git-annex or DVC.
            OSError: it cannot be read.
        """
        for place in split.places[:_MOST_CHECKED]:
            path = self.root.joinpath(*place, self.files[place][0])
            with path.open("rb") as stream:
                refuse_pointer(stream.read(LONGEST), str(path))

    def notes(self) -> Iterator[str]:
        """Yield what a user should know about skipped files."""
        for reason in (BROKEN, ANNEXED, CYCLES, SPECIAL):
            if names := self.skipped.get(reason):
                yield f"skipped {counted(names, reason)}"
        if self.unknown:
            endings = ", ".join(count_endings(self.unknown))
            yield f"skipped files with unknown endings: {endings}"

    def refuse(self) -> NoReturn:
        """Raise the error for a folder without image and audio files."""
        annexed, broken = self.skipped.get(ANNEXED, []), self.skipped.get(BROKEN, [])
        found, hint = "", f"add files with the extensions {' '.join(IMAGES + AUDIO)}"
        if annexed or broken:
            names = annexed or broken
            found = counted(names, "broken links")
            hint = "run `git annex get` in it" if annexed else "restore the files that they link to"
        elif self.pointers:
            found, hint = (
                f"DVC pointers: {shown(self.pointers)}",
                "run `dvc pull` in its repository",
            )
        elif self.archives:
            found = f"archives: {shown(self.archives)}"
            hint = f"unpack them, or run `dshub new {self.root}`"
        elif self.unknown:
            found = f"files with unknown endings: {', '.join(count_endings(self.unknown))}"
            hint = f"{hint}; or run `dshub new {self.root}` for TFRecord and other formats"
        elif self.tables:
            found = f"tables: {shown(self.tables)}"
            hint = f"pass them to Dataset.from_csv or from_json, or run `dshub new {self.root}`"
        reason = "it contains no image or audio files" + (f", but {found}" if found else "")
        raise ReadError(file=str(self.root), reason=reason, hint=hint)


def find_media(root: Path, listing: Listing) -> MediaTree:
    """Find the image and audio files in the listing of a folder."""
    tree = MediaTree(root, folders=listing.places.keys(), skipped=listing.skipped)
    for place, names in listing.places.items():
        media = []
        for name in names:
            if f".{name.rpartition('.')[2].lower()}" in _MEDIA:
                media.append(name)
            else:
                _add(tree, place, name)
        if media:
            tree.files[place] = media
    return tree


def _add(tree: MediaTree, place: Place, name: str) -> None:
    """Add a file that is not an image or audio file."""
    path, lower = "/".join((*place, name)), name.lower()
    if lower.endswith(TABLES):
        tree.tables.append(path)
    if lower.endswith(".txt"):
        tree.texts.append(path)
    if lower.endswith(_ARCHIVES):
        tree.archives.append(path)
    if lower.endswith(".dvc"):
        tree.pointers.append(path)
    if is_other(name):
        tree.others.add(place)
    else:
        tree.unknown.append(path)


def refuse_pointer(data: bytes, name: str) -> None:
    """Raise ReadError if a file is a pointer of Git LFS, git-annex or DVC."""
    if len(data) < LONGEST and (pointer := pointer_in(data)) is not None:
        reason = f"it is {pointer.name}, not the file itself"
        hint = f"run `{pointer.command}` in its repository"
        raise ReadError(file=name, reason=reason, hint=hint)
