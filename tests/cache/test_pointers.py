"""Test the recognition of pointers of Git LFS, git-annex and DVC."""

import pytest

from dshub.cache.pointers import LONGEST, pointer_in

OID = b"oid sha256:" + b"a" * 64 + b"\nsize 12345\n"
KEY = b"SHA256E-s12345--" + b"b" * 64 + b".csv"


@pytest.mark.parametrize(
    ("content", "command"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n" + OID, "git lfs pull"),
        (b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\r\n" + OID, "git lfs pull"),
        (b"/annex/objects/" + KEY + b"\n", "git annex get"),
        (b"../../.git/annex/objects/Wx/0g/" + KEY + b"/" + KEY, "git annex get"),
        (b"../.git/modules/data/annex/objects/Wx/0g/" + KEY + b"/" + KEY, "git annex get"),
        (b"outs:\n- md5: 5d41402a\n  size: 5\n  path: a.csv\n", "dvc pull"),
        (b"md5: 1b\nfrozen: true\nouts:\r\n  - path: data\r\n    md5: c3.dir\r\n", "dvc pull"),
    ],
    ids=["lfs", "lfs-windows", "annex", "annex-link", "annex-submodule", "dvc", "dvc-later"],
)
def test_pointers_are_recognized(content: bytes, command: str) -> None:
    pointer = pointer_in(content)
    assert pointer is not None
    assert pointer.command == command


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"id,version\n1,https://git-lfs.github.com/spec/v1\n",
        b"files are in .git/annex/objects/ of the repository\n",
        b"outs: 3\nins: 4\n",
        b"/annex/objects/" + b"x" * LONGEST,
    ],
)
def test_other_text_is_no_pointer(content: bytes) -> None:
    assert pointer_in(content) is None
