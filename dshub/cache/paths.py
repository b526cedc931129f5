"""The names on disk. A format change raises the number of its bucket and leaves the rest."""

import re
from collections.abc import Callable, Collection
from pathlib import PurePath, PurePosixPath

from dshub.checksums import Algorithm, Digest, is_hex

BLOBS, PARTIAL, TABLES, SYNTHETIC = "blobs-v1", "partial-v1", "tables-v1", "synthetic-v1"
PINS, MIRRORS, TERMS = "pins-v1", "mirrors-v1", "terms-v1"
REFERENCES, IMPORTS = "references-v1", "imports-v1"
LISTINGS = "listings-v1"  # indexes of folders of manifests
REGISTRY = "registry"  # of a mirror

TABLE_FILE = "table.json"  # a folder that has it is a table
JOURNAL = "journal.json"  # a table under way that has it can be gone on with
PIN_SUFFIX = ".pin"  # so that a dataset may be pinned beside a family of its name

CACHEDIR_FILE = "CACHEDIR.TAG"
CACHEDIR_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache of dshub; `dshub cache ls` lists what is in it.\n"
    "# The tag is described at https://bford.info/cachedir/\n"
)


def blob_path(digest: Digest) -> PurePosixPath:
    """Where a file lies, relative to a cache or to a mirror: `blobs-v1/3a/3aede38d…`."""
    prefix = "" if digest.algorithm == "sha256" else f"{digest.algorithm}-"
    return PurePosixPath(BLOBS, f"{prefix}{digest.hex[:2]}", digest.hex)


def blob_digest(path: PurePath) -> Digest | None:
    """The checksum that a file in `blobs-v1` is named by; None if its name or place is another."""
    return _digest(path, path.name, blob_path)


def reference_digest(path: PurePath) -> Digest | None:
    """The checksum of the file of which a note in `references-v1` speaks; None of any other."""
    return _digest(path, path.name.removesuffix(".json"), reference_path)


def _digest(path: PurePath, name: str, place: Callable[[Digest], PurePath]) -> Digest | None:
    algorithm: Algorithm = "md5" if path.parent.name.startswith("md5-") else "sha256"
    digest = Digest(algorithm, name) if is_hex(algorithm, name) else None
    return digest if digest and path.parts[-3:] == place(digest).parts else None


def is_table(relative: PurePath, folders: Collection[str], files: Collection[str]) -> bool:
    """Whether a folder is a table, whole or damaged.

    A table has a `table.json`, or is named by its recipe key and has other files of a table. A
    folder with folders in it has to have both names: it may be a dataset, or a family, with a
    file that dshub did not make.

    Args:
        relative: the folder, relative to `tables-v1`.
        folders, files: names of what is in it.
    """
    if not 2 <= len(relative.parts) <= 3:
        return False
    has_record, has_key = TABLE_FILE in files, _KEY.fullmatch(relative.name) is not None
    if folders:
        return has_record and has_key
    return has_record or (has_key and any(map(_NAMES[TABLES][1].fullmatch, files)))


def is_ours(relative: PurePath) -> bool:
    """Whether dshub gives such names in a cache or mirror, so that it can remove the file.

    Args:
        relative: a file in a bucket, relative to the cache or mirror.
    """
    bucket, *names = relative.parts
    depth, pattern = _NAMES.get(bucket, (range(0), _KEY))
    if any(name.startswith(".") for name in names) or len(names) not in depth:
        return False
    if bucket == BLOBS:
        return blob_digest(relative) is not None
    if bucket == REFERENCES:
        return reference_digest(relative) is not None
    if bucket == TABLES and not _KEY.fullmatch(names[-2]):
        return False
    return pattern.fullmatch(names[-1]) is not None


_KEY = re.compile(r"[0-9a-f]{16}")  # of a recipe
_ANY = re.compile(r".*")
_TABLE = re.compile(r".+\.(arrow|json|sha256)")
_KEY_NOTE = re.compile(r"[0-9a-f]{16}\.json")
_NOTE = re.compile(r".+\.json")
_PIN = re.compile(r".+\.pin")
_ACCEPTED = re.compile(r".+\.accepted")
_MIRROR = re.compile(r"[0-9a-f]+\.(json|toml)")
_LISTING = re.compile(r"[0-9a-z]+\.json")
_MANIFEST = re.compile(r".+\.toml")
_NAMES = {  # of each bucket: how deep its files lie, and the pattern of their names
    BLOBS: (range(2, 3), _ANY),
    REFERENCES: (range(2, 3), _ANY),
    TABLES: (range(3, 5), _TABLE),
    SYNTHETIC: (range(2, 4), _KEY_NOTE),
    IMPORTS: (range(2, 4), _NOTE),
    PINS: (range(1, 3), _PIN),
    TERMS: (range(1, 3), _ACCEPTED),
    MIRRORS: (range(1, 2), _MIRROR),
    LISTINGS: (range(1, 2), _LISTING),
    REGISTRY: (range(2, 4), _MANIFEST),
}


def partial_path(digest: Digest) -> PurePosixPath:
    """Where a file's download is kept until it is complete."""
    prefix = "" if digest.algorithm == "sha256" else f"{digest.algorithm}-"
    return PurePosixPath(PARTIAL, f"{prefix}{digest.hex}")


def table_path(name: str, key: str) -> PurePosixPath:
    """Where the prepared table of a dataset's split lies: `tables-v1/mnist/0123456789abcdef`."""
    return PurePosixPath(TABLES, name, key)


def synthetic_path(name: str, key: str) -> PurePosixPath:
    """Where the manifest of a stand-in lies."""
    return PurePosixPath(SYNTHETIC, name, f"{key}.json")


def terms_path(name: str) -> PurePosixPath:
    """Where it says which terms of a dataset were accepted: `terms-v1/imagenet-1k.accepted`."""
    return PurePosixPath(TERMS, f"{name}.accepted")


def pin_path(name: str) -> PurePosixPath:
    """Where it says that a dataset is to stay: `pins-v1/emnist/letters.pin`."""
    return PurePosixPath(PINS, f"{name}{PIN_SUFFIX}")


def mirror_path(key: str) -> PurePosixPath:
    """Where the index of a mirror is kept, for when it cannot be reached."""
    return PurePosixPath(MIRRORS, f"{key}.json")


def listing_path(key: str) -> PurePosixPath:
    """Where the index of a folder of manifests is kept, so that listing is fast."""
    return PurePosixPath(LISTINGS, f"{key}.json")


def manifest_path(digest: Digest) -> PurePosixPath:
    """Where a manifest of a mirror is kept: by its checksum, but apart from the data."""
    return PurePosixPath(MIRRORS, f"{digest.hex}.toml")


def reference_path(digest: Digest) -> PurePosixPath:
    """Where it says that a file with that checksum lies outside of the cache."""
    relative = blob_path(digest).relative_to(BLOBS)
    return PurePosixPath(REFERENCES, f"{relative}.json")


def import_path(name: str, layout: str) -> PurePosixPath:
    """Where it says that a dataset was imported in a layout: `imports-v1/set/folders.json`."""
    return PurePosixPath(IMPORTS, name, f"{layout}.json")
