"""Explain why a downloaded file is wrong, from its length and its first bytes."""

import html
import re
from pathlib import Path

from dshub.cache.pointers import pointer_in
from dshub.catalog.manifest import Resource
from dshub.download.error_bodies import error_in

HEAD = 1 << 16  # bytes to examine

# limited to 1,000 characters, because `html` rejects references with thousands of digits
_TITLE = re.compile(r"<title[^<>]*>([^<]{0,1000})", re.IGNORECASE)
_QUOTA = re.compile(r"quota|limit exceeded|too many|rate.?limit", re.IGNORECASE)
_LOGIN = re.compile(r"sign.?in|log.?in|password|welcome|captive|portal|consent", re.IGNORECASE)
_GZIP = b"\x1f\x8b"
_BINARY = (".gz", ".tgz", ".zip", ".xz", ".bz2", ".tar", ".zst", ".parquet", ".npz", ".mat", ".h5")
_MAGIC = {".gz": _GZIP, ".tgz": _GZIP, ".zip": b"PK", ".xz": b"\xfd7zXZ\x00", ".bz2": b"BZh"}


def diagnose(path: Path, resource: Resource, length: int) -> tuple[str, str]:
    """Guess why a file is wrong, and suggest the next step.

    Args:
        path: path of the downloaded file.
        resource: expected file.
        length: size of the file at its source, which can be larger than the download.

    Returns:
        A clause such as `it is an HTML page titled 'Sign in'`, and the next step. Both can be
        empty.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "it is empty", "try again later"
    if (content := other_content(head, resource)) is not None:
        return content
    if resource.size is not None and length < resource.size:
        return "it is cut short", "try again later, in case a proxy sent only part of the file"
    return _difference(head, resource, length), ""


def other_content(head: bytes, resource: Resource) -> tuple[str, str] | None:
    """Describe what was sent instead of a file: a web page, a pointer or an error.

    Args:
        head: first bytes of the file, at least `HEAD` unless the file is shorter.
        resource: expected file.

    Returns:
        A clause such as `it is a DVC pointer` and the next step, or None if it is another version
        or a part of the file.
    """
    if _is_page(head):
        return _page(head)
    if (pointer := pointer_in(head)) is not None:
        return f"it is {pointer.name}", f"run `{pointer.command}` in the repository of the file"
    return error_in(head, binary=resource.name.endswith(_BINARY))


def _difference(head: bytes, resource: Resource, length: int) -> str:
    """Describe how a file differs from the expected one; empty if unknown."""
    if resource.size is not None and length > resource.size:
        return "it is longer than the published file"
    name = resource.name
    if any(name.endswith(end) and head.startswith(magic) for end, magic in _MAGIC.items()):
        return "it looks complete, but was damaged in transit or changed upstream"
    return ""


def _is_page(head: bytes) -> bool:
    start = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html")) or b"<title" in start


def _page(head: bytes) -> tuple[str, str]:
    text = head.decode("utf-8", "replace")
    title = _title(text)
    words = f"{title} {text}"
    page = f"an HTML page titled {title!r}" if title else "an HTML page"
    if _QUOTA.search(words):
        return f"it is {page}, about a quota", "try again later, when the quota is reset"
    if _LOGIN.search(words):
        return f"it is {page}, for a login", "open the URL in a browser to log in, then try again"
    return f"it is {page}", "open the URL in a browser to read the page"


def _title(text: str) -> str:
    """Return the title of an HTML page on one line; empty if the page has no title."""
    match = _TITLE.search(text)
    title = " ".join(html.unescape(match[1]).split())[:80] if match else ""
    return "".join(filter(str.isprintable, title))
