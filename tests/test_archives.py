import gzip
from pathlib import Path

import pytest

from dshub.archives import (
    check_size,
    container_for,
    open_files,
    open_stream,
    stream_for,
    stream_suffixes,
)
from dshub.errors import UnsafeArchiveError
from tests.independent.packed import zipped


@pytest.mark.parametrize("name", ["data", "data.gz", "data.txt"])
def test_compression_is_recognized_by_content(tmp_path: Path, name: str) -> None:
    for content in (gzip.compress(b"rows"), b"rows"):
        path = tmp_path / name
        path.write_bytes(content)
        with open_stream(path) as stream:
            assert stream.read() == b"rows"


def test_reference_names_one_member(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    path.write_bytes(zipped({"a": b"1", "b": b"2"}))
    with open_files(path, title="data", member="b") as (file,), file.open() as stream:
        assert (file.name, stream.read()) == ("data:b", b"2")


def test_disproportionate_output_size_is_rejected() -> None:
    check_size(200 << 20, 100, "data")
    with pytest.raises(UnsafeArchiveError, match="data"):
        check_size(1 << 40, 100, "data")


def test_file_name_determines_the_packing() -> None:
    """A name without a known suffix is written unpacked."""
    assert stream_suffixes() == [".bz2", ".gz", ".xz", ".zst"]
    assert [stream_for(name) is None for name in ("a.gz", "A.XZ", "a.txt")] == [False, False, True]
    packings = {name: container_for(name) for name in ("a.zip", "a.tgz", "a.tar.xz", "a.csv")}
    assert packings["a.csv"] is None
    streams = {
        name: packing.stream and packing.stream.suffix
        for name, packing in packings.items()
        if packing is not None
    }
    assert streams == {"a.zip": None, "a.tgz": ".gz", "a.tar.xz": ".xz"}
