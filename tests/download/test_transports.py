"""Test choosing the transport for a URL."""

from pathlib import Path

import pytest

from dshub.download.transports import Transports
from dshub.errors import UnknownNameError


def test_addresses_are_decoded_and_paths_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a b%20c"
    path.write_bytes(b"x")
    for url in (str(path), path.as_uri()):
        with Transports(timeout=1).of(url).open(url) as answer:
            buffer = memoryview(bytearray(10))
            assert bytes(buffer[: answer.readinto(buffer)]) == b"x"


def test_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Transports(timeout=1).of("gopher://x/y")
    assert {"file", "http"} <= set(caught.value.known)
