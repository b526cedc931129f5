"""Recognize small text files that Git LFS, git-annex and DVC leave in place of data."""

_BEGINNINGS = {
    b"version https://git-lfs.github.com/spec/": ("a Git LFS pointer", "`git lfs pull`"),
    b"version https://hawser.github.com/spec/": ("a Git LFS pointer", "`git lfs pull`"),
    b"/annex/objects/": ("a git-annex pointer", "`git annex get`"),
    b"outs:\n- md5:": ("a DVC pointer", "`dvc pull`"),
}
SIZE = 1024  # bytes; pointers are smaller


def pointer_of(data: bytes) -> tuple[str, str] | None:
    """Return the kind of a pointer file and the command that downloads its data.

    The formats are those of the Git LFS specification, of git-annex's "pointer file format", and of
    `.dvc` files.

    Args:
        data: the first bytes of a file, at least `SIZE` if it has as many.
    """
    if len(data) >= SIZE:
        return None
    for beginning, pointer in _BEGINNINGS.items():
        if data.startswith(beginning) or (b"annex" in beginning and beginning in data[:200]):
            return pointer
    return None
