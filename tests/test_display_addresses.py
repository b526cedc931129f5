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
def test_path_and_file_url_are_local(text: str, path: str) -> None:
    assert Address(text).is_local
    assert Address(text).path == Path(path)


@pytest.mark.parametrize("text", ["https://a.example/x", "s3://bucket", "HTTP://a.example"])
def test_other_schemes_are_not_local(text: str) -> None:
    assert not Address(text).is_local
    assert Address(text).is_url


def test_names_below_a_file_url_are_quoted() -> None:
    resource = Resource(filename="a b", sha256="0" * 64)
    for base, name in [("/m/", "a b"), ("file:/m", "a%20b"), ("FILE:///m", "a%20b")]:
        [_, address] = sources(Job("set", "file", resource), [], base)
        assert address == f"{base.rstrip('/')}/{name}"
        assert Address(address).path == Path("/m/a b")


def test_address_is_shown_without_its_password() -> None:
    assert "secret" not in str(Address("https://me:secret@a.example/x"))


def test_file_url_with_one_slash_can_be_a_mirror() -> None:
    assert Settings.read(environment={"DSHUB_MIRROR": "file:/m"}).mirrors == ("file:/m",)
