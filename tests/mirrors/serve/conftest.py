"""A served folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dshub.mirrors.serve.server import serving
from dshub.mirrors.serve.sockets import Limits

DATA = bytes(range(256)) * 1000
LARGE = 64 << 20  # bytes: more than the system buffers for a client


@pytest.fixture
def data() -> bytes:
    """The content of `sub/data`."""
    return DATA


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files and links, and a secret beside it."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "data").write_bytes(DATA)
    (folder / "empty").touch()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path, target_is_directory=True)
    (folder / "inside").symlink_to(Path("sub", "data"))
    (folder / "loop").symlink_to("loop")
    return folder


@pytest.fixture
def large(folder: Path) -> Path:
    """A large file of the folder."""
    path = folder / "large"
    with path.open("wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(1 << 20))
    return path


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """The address of the served folder."""
    with serving(folder) as address:
        yield address


@pytest.fixture
def hasty(folder: Path) -> Iterator[str]:
    """The address of the same folder on a server with short time limits."""
    limits = Limits(head=0.5, idle=0.5, stall=0.5, farewell=1.0, clients=32)
    with serving(folder, limits=limits) as address:
        yield address
