"""The file transport, and the choice of a transport."""

from pathlib import Path

import pytest

from dshub.errors import UnknownNameError
from dshub.testing import TransportTests
from dshub.transports import Transports
from dshub.transports.file import Transport


class TestPath(TransportTests):
    """The suite, with plain paths."""

    def transport(self) -> Transport:
        return Transport(timeout=1)

    def url(self, path: Path) -> str:
        return str(path)


class TestFileUrl(TestPath):
    """The suite, with file: addresses, blanks and percent signs included."""

    def url(self, path: Path) -> str:
        return path.as_uri()


def test_names_with_blanks(tmp_path: Path) -> None:
    """An address is decoded, a path is not."""
    path = tmp_path / "a b%20c"
    path.write_bytes(b"x")
    for url in (str(path), path.as_uri()):
        with Transports(timeout=1).of(url).open(url) as answer:
            buffer = memoryview(bytearray(10))
            assert bytes(buffer[: answer.readinto(buffer)]) == b"x"


def test_an_unknown_scheme_names_the_known_ones() -> None:
    """`s3://` without its transport says what there is."""
    with pytest.raises(UnknownNameError) as caught:
        Transports(timeout=1).of("gopher://x/y")
    assert {"file", "http"} <= set(caught.value.known)
