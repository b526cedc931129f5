"""Folder or URL."""

from pathlib import Path

import pytest

from dshub import Settings
from dshub.catalog.manifest import Resource
from dshub.display import Address
from dshub.download.sources import Job, sources


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/media/My Stick", "/media/My Stick"),
        ("here/there", "here/there"),
        ("file:///media/My%20Stick", "/media/My Stick"),
        ("FILE:///media/stick", "/media/stick"),
        ("file:/media/stick", "/media/stick"),
    ],
)
def test_path_and_file_url_are_on_this_machine(text: str, path: str) -> None:
    """However they are written."""
    assert Address(text).is_local
    assert Address(text).path == Path(path)


@pytest.mark.parametrize("text", ["https://a.example/x", "s3://bucket", "HTTP://a.example"])
def test_other_schemes_are_elsewhere(text: str) -> None:
    """Nothing is asked of them when offline."""
    assert not Address(text).is_local
    assert Address(text).is_url


def test_names_below_every_file_url_are_quoted() -> None:
    """So that they mean the same file in any spelling of the URL."""
    resource = Resource(filename="a b", sha256="0" * 64)
    for base, name in [("/m/", "a b"), ("file:/m", "a%20b"), ("FILE:///m", "a%20b")]:
        [_, address] = sources(Job("set", "file", resource), [], base)
        assert address == f"{base.rstrip('/')}/{name}"
        assert Address(address).path == Path("/m/a b")


def test_address_is_shown_without_its_password() -> None:
    """In messages and logs."""
    assert "secret" not in str(Address("https://me:secret@a.example/x"))


def test_file_url_with_one_slash_can_be_a_mirror() -> None:
    """It is a URL as one with three, not a folder named `file:`."""
    assert Settings.read(environment={"DSHUB_MIRROR": "file:/m"}).mirrors == ("file:/m",)
