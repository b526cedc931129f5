"""Recognize errors that a server sends as the content of a file, with status 200.

* Object storage answers in XML, ``<Error><Code>NoSuchKey</Code><Message>…``:
  https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. Google Cloud Storage and
  Azure send the same form.
* Web services answer in JSON, such as ``{"error": {"code": 404, "message": "…"}}``, or with a line
  of text.
"""

import html
import json
from collections.abc import Mapping
from typing import Any

LONGEST = 1 << 14  # bytes; real errors are shorter

_AGAIN = "try again later"
_MOVED = "look for a newer version of the dataset (the file was moved or removed)"
_ACCESS = "check that the URL has not expired and that you have access to the file"
_STEPS = {  # parts of errors without blanks and punctuation, by next step
    _AGAIN: "slowdown throttl toomany ratelimit quota unavailable busy internal timeout timedout "
    "tryagain 429 500 502 503 504",
    _MOVED: "nosuch notfound notexist nolonger 404 410",
    _ACCESS: "denied forbidden unauthori expired login signin signature token authent credential "
    "permission 401 403",
}
_KEYS = ("code", "status", "error", "errors", "message", "detail", "title", "reason", "msg")
_MARKS = frozenset({"error", "errors", "message", "detail", "msg"})


def error_in(head: bytes, *, binary: bool) -> tuple[str, str] | None:
    """Return a description of an error, and the next step; None if the file is not an error.

    Args:
        head: first bytes of the file, at least `LONGEST` unless the file is shorter.
        binary: whether the expected file is not text, so that any line of text is an error.

    Returns:
        A clause such as `it is an error message, 'NoSuchKey: …'`, and the next step.
    """
    if len(head) >= LONGEST:
        return None
    try:
        text = head.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None
    message = _in_xml(text) or _in_json(text) or (_in_line(text) if binary else "")
    printable = filter(str.isprintable, message.replace("\n", " "))
    shown = " ".join("".join(printable).split())[:200]
    if not shown:
        return None
    return f"it is an error message, {shown!r}", _step(shown)


def _step(message: str) -> str:
    """Return the next step for an error."""
    letters = "".join(filter(str.isalnum, message.lower()))
    steps = (step for step, parts in _STEPS.items() if any(p in letters for p in parts.split()))
    return next(steps, "open the URL in a browser")


def _in_xml(text: str) -> str:
    """Return the code and message of an error in XML, or an empty string."""
    if not text.startswith("<") or "<Error>" not in text[:1000]:
        return ""
    fields = (text.partition(f"<{tag}>")[2].partition(f"</{tag}>") for tag in ("Code", "Message"))
    return ": ".join(html.unescape(value[:1000]) for value, end, _ in fields if end)


def _in_json(text: str) -> str:
    """Return the texts of an error in JSON, or an empty string."""
    if not text.startswith(("{", "[")):
        return ""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if isinstance(value, Mapping) and not _MARKS.isdisjoint(map(str.lower, value)):
        return ": ".join(dict.fromkeys(_texts(value)))
    return ""


def _texts(value: Any, depth: int = 3) -> list[str]:
    """Return the codes and messages in a value."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return [str(value)[:1000]] if str(value).strip() else []
    if not depth:
        return []
    if isinstance(value, list):
        return [text for item in value[:3] for text in _texts(item, depth - 1)]
    if not isinstance(value, Mapping):
        return []
    lower = {str(name).lower(): item for name, item in value.items()}
    return [text for key in _KEYS if key in lower for text in _texts(lower[key], depth - 1)]


def _in_line(text: str) -> str:
    """Return text of one or a few lines, or an empty string."""
    return text if len(text) < 1000 and text.count("\n") < 5 else ""
