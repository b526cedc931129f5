"""Recognize small text files that version control leaves in place of large files.

* Git LFS: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
* git-annex: https://git-annex.branchable.com/internals/pointer_file/; without symbolic links, git
  also writes the target of the link, such as `../.git/annex/objects/…`.
* DVC: https://doc.dvc.org/user-guide/project-structure/dvc-files
"""

import re
from typing import NamedTuple

LONGEST = 4096  # bytes; real pointers are shorter

_LFS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_ANNEX = re.compile(rb"(?:(?:\.\./)*\.git(?:/[^\r\n\0]{1,200})?)?/annex/objects/[^\r\n\0]+")
_DVC = re.compile(rb"(?:\A|\n)outs:[ \t]*\r?\n[ \t]*- +(?:md5|etag|checksum|hash|size|path|files):")


class Pointer(NamedTuple):
    """A pointer to a file.

    Attributes:
        name: noun phrase, such as `a Git LFS pointer`.
        command: command that replaces the pointer by the file, in its repository.
    """

    name: str
    command: str


_LFS_POINTER = Pointer("a Git LFS pointer", "git lfs pull")
_ANNEX_POINTER = Pointer("a git-annex pointer", "git annex get")
_DVC_POINTER = Pointer("a DVC pointer", "dvc pull")


def pointer_in(head: bytes) -> Pointer | None:
    """Return the pointer that a file is, or None if it is not a pointer.

    Args:
        head: first bytes of the file, at least `LONGEST` unless the file is shorter.
    """
    text = head[:LONGEST].removeprefix(b"\xef\xbb\xbf")
    if text.startswith(_LFS):
        return _LFS_POINTER
    if len(head) >= LONGEST:
        return None
    if _ANNEX.match(text):
        return _ANNEX_POINTER
    return _DVC_POINTER if _DVC.search(text) else None
