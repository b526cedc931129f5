"""Paths in a cache or mirror.

Changing the format of a bucket increments the number in its name.
"""

import re
from collections.abc import Collection
from pathlib import PurePath, PurePosixPath

from dshub.checksums import Algorithm, Digest, is_hex

BLOBS, PARTIAL, TABLES, SYNTHETIC = "blobs-v1", "partial-v1", "tables-v1", "synthetic-v1"
PINS, MIRRORS, TERMS = "pins-v1", "mirrors-v1", "terms-v1"
REFERENCES, IMPORTS = "references-v1", "imports-v1"
DERIVED = "derived-v1"  # results of `Dataset.cache`
LISTINGS = "listings-v1"  # indexes of manifest folders
REGISTRY = "registry"  # manifests in a mirror

TABLE_FILE = "table.json"  # marks a folder as a table
DATASET_FILE = "dataset.json"  # marks a folder as a saved or derived dataset
JOURNAL = "journal.json"  # marks an unfinished table as resumable
PIN_SUFFIX = ".pin"  # distinguishes the pin `emnist.pin` from the folder `emnist` of a family

CACHEDIR_FILE = "CACHEDIR.TAG"
CACHEDIR_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache of dshub; `dshub cache ls` lists what is in it.\n"
    "# The tag is described at https://bford.info/cachedir/\n"
)


def _prefix(digest: Digest) -> str:
    return "" if digest.algorithm == "sha256" else f"{digest.algorithm}-"


def blob_path(digest: Digest) -> PurePosixPath:
    """Return the path of a file in a cache or mirror, such as `blobs-v1/3a/3aede38d…`."""
    return PurePosixPath(BLOBS, f"{_prefix(digest)}{digest.hex[:2]}", digest.hex)


def blob_digest(path: PurePath) -> Digest | None:
    """Return the checksum in the path of a file in `blobs-v1`; None for other paths."""
    algorithm: Algorithm = "md5" if path.parent.name.startswith("md5-") else "sha256"
    digest = Digest(algorithm, path.name) if is_hex(algorithm, path.name) else None
    return digest if digest and path.parts[-3:] == blob_path(digest).parts else None


def reference_digest(path: PurePath) -> Digest | None:
    """Return the checksum in the path of a record in `references-v1`; None for other paths."""
    digest = blob_digest(PurePath(BLOBS, path.parent.name, path.name.removesuffix(".json")))
    return digest if digest and path.parts[-3:] == reference_path(digest).parts else None


def is_table(relative: PurePath, folders: Collection[str], files: Collection[str]) -> bool:
    """Return whether a folder is a table, complete or damaged.

    A table has a `table.json`, or a recipe key as its name and other table files. A folder with
    subfolders must have both a `table.json` and a recipe key as its name. Otherwise it can be a
    dataset or a family with a stray file.

    Args:
        relative: path of the folder, relative to `tables-v1`.
        folders, files: names of its subfolders and files.
    """
    if not 2 <= len(relative.parts) <= 3:
        return False
    has_record, has_key = TABLE_FILE in files, re.fullmatch(_KEY, relative.name) is not None
    if folders:
        return has_record and has_key
    return has_record or (has_key and any(re.fullmatch(_TABLE, name) for name in files))


def is_derived(name: str, files: Collection[str]) -> bool:
    """Return whether a folder in `derived-v1/NAME` is a complete result of `Dataset.cache`."""
    return re.fullmatch(_KEY, name) is not None and DATASET_FILE in files


def is_derived_leftover(name: str) -> bool:
    """Return whether a name in `derived-v1/NAME` is an unfinished result or a lock file."""
    return re.fullmatch(rf"{_KEY}\.(?:partial|lock)", name) is not None


def is_ours(relative: PurePath) -> bool:
    """Return whether a file is named like dshub's own files, so that dshub can remove it.

    Args:
        relative: path of a file in a bucket, relative to the cache or mirror.
    """
    bucket, *names = relative.parts
    if bucket in {BLOBS, REFERENCES}:
        digest_of = blob_digest if bucket == BLOBS else reference_digest
        return len(names) == 2 and digest_of(relative) is not None
    return _OURS.fullmatch(relative.as_posix()) is not None


_KEY = "[0-9a-f]{16}"  # recipe key
_NAME = r"(?!\.)[^/\n]+"
_DATASET = f"{_NAME}(?:/{_NAME})?"
_TABLE = rf"{_NAME}\.(?:arrow|json|sha256)"
_OURS = re.compile(
    rf"{TABLES}/{_DATASET}/{_KEY}/{_TABLE}"
    rf"|{SYNTHETIC}/{_DATASET}/{_KEY}\.json"
    rf"|{IMPORTS}/{_DATASET}/{_NAME}\.json"
    rf"|{PINS}/{_DATASET}\.pin"
    rf"|{TERMS}/{_DATASET}\.accepted"
    rf"|{MIRRORS}/[0-9a-f]+\.(?:json|toml)"
    rf"|{LISTINGS}/[0-9a-z]+\.json"
    rf"|{REGISTRY}/{_DATASET}/{_NAME}\.toml"
)


def partial_path(digest: Digest) -> PurePosixPath:
    """Return the path of an unfinished download."""
    return PurePosixPath(PARTIAL, f"{_prefix(digest)}{digest.hex}")


def table_path(name: str, key: str) -> PurePosixPath:
    """Return the path of a prepared table, such as `tables-v1/mnist/0123456789abcdef`."""
    return PurePosixPath(TABLES, name, key)


def synthetic_path(name: str, key: str) -> PurePosixPath:
    """Return the path of the manifest of synthetic data."""
    return PurePosixPath(SYNTHETIC, name, f"{key}.json")


def terms_path(name: str) -> PurePosixPath:
    """Return the path of a record of accepted terms, such as `terms-v1/imagenet-1k.accepted`."""
    return PurePosixPath(TERMS, f"{name}.accepted")


def pin_path(name: str) -> PurePosixPath:
    """Return the path of a pin, such as `pins-v1/emnist/letters.pin`."""
    return PurePosixPath(PINS, f"{name}{PIN_SUFFIX}")


def mirror_path(key: str) -> PurePosixPath:
    """Return the path of a mirror's index, which is used while the mirror is unreachable."""
    return PurePosixPath(MIRRORS, f"{key}.json")


def listing_path(key: str) -> PurePosixPath:
    """Return the path of the index that speeds up listing a manifest folder."""
    return PurePosixPath(LISTINGS, f"{key}.json")


def manifest_path(digest: Digest) -> PurePosixPath:
    """Return the path of a manifest from a mirror."""
    return PurePosixPath(MIRRORS, f"{digest.hex}.toml")


def reference_path(digest: Digest) -> PurePosixPath:
    """Return the path of a file's reference record, such as `references-v1/3a/3aede38d….json`."""
    relative = blob_path(digest).relative_to(BLOBS)
    return PurePosixPath(REFERENCES, f"{relative}.json")


def import_path(name: str, layout: str) -> PurePosixPath:
    """Return the path of an import record, such as `imports-v1/my-dataset/folders.json`."""
    return PurePosixPath(IMPORTS, name, f"{layout}.json")
