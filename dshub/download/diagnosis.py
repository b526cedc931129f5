"""Explain wrong bytes by their length and their beginning."""

import html
import re
from pathlib import Path

from dshub.catalog.manifest import Resource

HEAD = 1 << 16  # bytes examined

# up to 1,000 characters: `html` refuses references of thousands of digits
_TITLE = re.compile(r"<title[^<>]*>([^<]{0,1000})", re.IGNORECASE)
_QUOTA = re.compile(r"quota|limit exceeded|too many|rate.?limit", re.IGNORECASE)
_LOGIN = re.compile(r"sign.?in|log.?in|password|welcome|captive|portal|consent", re.IGNORECASE)
_GZIP = b"\x1f\x8b"
_MAGIC = {".gz": _GZIP, ".tgz": _GZIP, ".zip": b"PK", ".xz": b"\xfd7zXZ\x00", ".bz2": b"BZh"}


def diagnose(path: Path, resource: Resource, length: int) -> tuple[str, str]:
    """Say what the bytes in a file seem to be, and what to do about it.

    Args:
        path: the file.
        resource: what it should be.
        length: bytes of the source's file; at most the published number was taken.

    Returns:
        A clause such as `it is an HTML page titled 'Sign in'`, and the next step; both empty if
        nothing is known.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "it is empty", "the source sends no content; try again later"
    if _is_page(head):
        return _page(head)
    if is_lfs_pointer(head):
        return "it is a Git LFS pointer", "run `git lfs pull` in the repository that it comes from"
    if resource.size is not None and length < resource.size:
        return (
            "it is cut short",
            "the source or a proxy sends only part of the file: try again later",
        )
    return _difference(head, resource, length), ""


def _difference(head: bytes, resource: Resource, length: int) -> str:
    """Say how a file of the right kind differs; empty if its kind is unknown."""
    if resource.size is not None and length > resource.size:
        return "it is longer than the file that was published"
    name = resource.name
    if any(name.endswith(end) and head.startswith(magic) for end, magic in _MAGIC.items()):
        return "it looks complete: damaged on the way, or changed upstream"
    return ""


def is_lfs_pointer(head: bytes) -> bool:
    """True if a file stands for one that `git lfs pull` would bring."""
    return head.startswith(b"version https://git-lfs.github.com/spec/")


def _is_page(head: bytes) -> bool:
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html")) or b"<title" in start


def _page(head: bytes) -> tuple[str, str]:
    text = head.decode("utf-8", "replace")
    title = _title(text)
    words = f"{title} {text}"
    named = f"an HTML page titled {title!r}" if title else "an HTML page"
    if _QUOTA.search(words):
        return f"it is {named}, about a quota", "the source limits downloads: try again later"
    if _LOGIN.search(words):
        return (
            f"it is {named}, to sign in",
            "this network or the source requires a login: open the address in a browser first",
        )
    return f"it is {named}", "open the address in a browser to see what the source says"


def _title(text: str) -> str:
    """Return the page's title on one line; empty if it has none."""
    match = _TITLE.search(text)
    title = " ".join(html.unescape(match[1]).split())[:80] if match else ""
    return "".join(filter(str.isprintable, title))
