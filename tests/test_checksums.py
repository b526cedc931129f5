import hashlib
import io
from pathlib import Path

import pytest

from dshub.checksums import CHUNK, Algorithm, Digest, is_hex

DATA = bytes(range(256)) * (CHUNK // 256 + 1)


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_file_stream_and_bytes_have_one_checksum(algorithm: Algorithm, tmp_path: Path) -> None:
    path, sizes = tmp_path / "data", list[int]()
    path.write_bytes(DATA)
    expected = Digest(algorithm, hashlib.new(algorithm, DATA).hexdigest())
    assert Digest.of_bytes(DATA, algorithm) == Digest.of_file(path, algorithm) == expected
    assert Digest.of_stream(io.BytesIO(DATA), algorithm, sizes.append) == expected
    assert sizes == [CHUNK, len(DATA) - CHUNK]
    assert expected.fits(path)
    path.write_bytes(DATA[:-1])
    assert not expected.fits(path)


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 63 + "\n"])
def test_malformed_checksum_is_rejected(text: str) -> None:
    assert not is_hex("sha256", text)
    with pytest.raises(ValueError, match="is not a sha256"):
        Digest("sha256", text)


def test_checksum_is_written_with_its_algorithm() -> None:
    digest = Digest("md5", "0123456789abcdef" * 2)
    assert str(digest) == f"md5:{digest.hex}"
    assert digest.short == "md5:0123456789ab…"
