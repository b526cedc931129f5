"""Test the paths of a cache or mirror and the recognition of dshub's own files."""

from pathlib import PurePosixPath

import pytest

from dshub.cache.paths import blob_digest, blob_path, is_ours, reference_digest, reference_path
from dshub.checksums import Algorithm, Digest

ALGORITHMS: tuple[Algorithm, ...] = ("sha256", "md5")
KEY = "0123456789abcdef"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_checksum_follows_from_the_path(algorithm: Algorithm) -> None:
    digest = Digest.of_bytes(b"data", algorithm)
    assert blob_digest(blob_path(digest)) == digest
    assert blob_digest(blob_path(digest).with_name("notes.txt")) is None
    assert blob_digest(reference_path(digest)) is None
    assert reference_digest(reference_path(digest)) == digest
    assert reference_digest(blob_path(digest)) is None


@pytest.mark.parametrize(
    "path",
    [
        blob_path(Digest.of_bytes(b"data")).as_posix(),
        reference_path(Digest.of_bytes(b"data")).as_posix(),
        f"tables-v1/mnist/{KEY}/table.json",
        f"tables-v1/glue/sst2/{KEY}/train-00000-of-00001.arrow",
        f"synthetic-v1/glue/sst2/{KEY}.json",
        "imports-v1/mnist/folders.json",
        "pins-v1/mnist.pin",
        "pins-v1/glue/sst2.pin",
        "terms-v1/imagenet-1k.accepted",
        "mirrors-v1/0123abcd.json",
        "mirrors-v1/0123abcd.toml",
        "listings-v1/3k.json",
        "registry/glue/sst2/1.0.0.toml",
    ],
)
def test_own_file_is_recognized(path: str) -> None:
    assert is_ours(PurePosixPath(path))


@pytest.mark.parametrize(
    "path",
    [
        f"blobs-v1/aa/bb/{'0' * 64}",
        f"blobs-v1/ab/{'0' * 64}",
        "blobs-v1/notes.txt",
        "tables-v1/mnist/notes/table.json",
        f"tables-v1/{KEY}/table.json",
        f"tables-v1/a/b/c/{KEY}/table.json",
        f"tables-v1/mnist/{KEY}/notes.txt",
        f"tables-v1/.trash/{KEY}/table.json",
        "pins-v1/a/b/c.pin",
        "pins-v1/mnist.txt",
        "registry/1.0.0.toml",
        "registry/mnist/.1.0.0.toml",
        "registry/mnist/a\nb.toml",
        "partial-v1/anything",
        "notes/mnist.toml",
    ],
)
def test_stray_file_is_not_ours(path: str) -> None:
    assert not is_ours(PurePosixPath(path))
