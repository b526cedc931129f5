"""The names on disk. A format change raises the number of its bucket and leaves the rest."""

from pathlib import PurePath, PurePosixPath

from dshub.digest import Algorithm, Digest, is_hex

BLOBS, PARTIAL, TABLES, SYNTHETIC = "blobs-v1", "partial-v1", "tables-v1", "synthetic-v1"
PINS, MIRRORS, TERMS = "pins-v1", "mirrors-v1", "terms-v1"
REFERENCES, IMPORTS = "references-v1", "imports-v1"

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
    """The checksum that a file in `blobs-v1` is named by; None where it is named otherwise."""
    algorithm: Algorithm = "md5" if path.parent.name.startswith("md5-") else "sha256"
    return Digest(algorithm, path.name) if is_hex(algorithm, path.name) else None


def reference_digest(path: PurePath) -> Digest | None:
    """The checksum of the file of which a note in `references-v1` speaks; None of any other."""
    inside = REFERENCES in path.parts and path.suffix == ".json"
    return blob_digest(path.with_suffix("")) if inside else None


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
