"""Test local files by path and `file:` URL."""

import os
from pathlib import Path

import pytest

from dshub.download.transports.file import Transport
from dshub.errors import TransportError
from dshub.testing.transports import TransportTests


class TestPath(TransportTests):
    """Run the transport tests with plain paths."""

    def transport(self) -> Transport:
        return Transport(timeout=1)

    def url(self, path: Path) -> str:
        return str(path)


class TestFileUrl(TestPath):
    """Run the transport tests with `file:` URLs, including escaped characters."""

    def url(self, path: Path) -> str:
        return path.as_uri()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data")
    with pytest.raises(TransportError, match="it is a named pipe, not a file") as caught:
        Transport(timeout=1).open(str(tmp_path / "data"))
    assert not caught.value.absent


@pytest.mark.parametrize("name", ["index.json", "blobs-v1/3a/3aede38d", "tables-v1/ds/key/t.arrow"])
def test_link_in_a_mirror_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(tmp_path / "secret")
    with pytest.raises(TransportError, match="it is a symlink, not a file"):
        Transport(timeout=1).open(str(path))


def test_links_outside_mirrors_are_followed(tmp_path: Path) -> None:
    """`dshub fetch --from` accepts links, and the folder of a mirror can be one."""
    (tmp_path / "disk" / "blobs-v1").mkdir(parents=True)
    (tmp_path / "disk" / "blobs-v1" / "3a").write_bytes(b"x")
    (tmp_path / "train.tar").symlink_to(tmp_path / "disk" / "blobs-v1" / "3a")
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "blobs-v1").symlink_to(tmp_path / "disk" / "blobs-v1")
    for path in (tmp_path / "train.tar", tmp_path / "mirror" / "blobs-v1" / "3a"):
        assert Transport(timeout=1).head(str(path)).total == 1
