"""Values in files that others can write: types with bounds, and decoding that fails one way only.

Manifests, indexes, lock files and the notes of a cache share these rules, so that a name or a size
that one of them refuses is refused by all.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

LARGEST = 2**53  # the numbers below it are exact in JavaScript and in float64, too

NAME = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)?")
VERSION = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8})){2}(?:\+[0-9a-z.-]{1,100})?")
KEY = re.compile(r"(?=.{1,200}\Z)[a-z0-9]+(?:[_-]+[a-z0-9]+)*")
ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')  # a strong one: RFC 9110, 8.8.3


def matching(pattern: str) -> Meta:
    """A text that matches from its beginning to its end; msgspec searches by itself."""
    return Meta(pattern=rf"\A(?:{pattern})\Z")


T = TypeVar("T")
Count = Annotated[int, Meta(ge=0, lt=LARGEST)]
Size = Annotated[int, Meta(ge=1, lt=LARGEST)]
Moment = Annotated[int, Meta(ge=-(2**62), le=2**62)]  # nanoseconds since the epoch
Text = Annotated[str, Meta(max_length=10_000)]
ETag = Annotated[str, matching(f"(?:{ETAG.pattern})?")]
PathText = Annotated[str, matching(r"[^\x00\ud800-\udc7f\udd00-\udfff]{0,10000}")]
FileName = Annotated[str, matching(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")]
Name = Annotated[str, matching(NAME.pattern)]
Version = Annotated[str, matching(VERSION.pattern)]
Key = Annotated[str, matching(KEY.pattern)]
Sha256 = Annotated[str, matching("[0-9a-f]{64}")]
Checksum = Annotated[str, matching("sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}")]
TableKey = Annotated[str, matching("[0-9a-f]{16}")]


def decode(data: bytes, kind: type[T]) -> T:
    """JSON as a value of some type.

    Raises:
        ValueError: it is not; also where it is not UTF-8, or nested too deeply.
    """
    with _in_plain_words():
        return msgspec.json.decode(data, type=kind)


def decode_paths(data: bytes, kind: type[T]) -> T:
    """The same for a note with a path in it: names of files need not be Unicode.

    Raises:
        ValueError: as of `decode`.
    """
    with _in_plain_words():
        return msgspec.convert(json.loads(data), kind)


def convert(content: object, kind: type[T]) -> T:
    """Parsed TOML as a value of some type; raises ValueError as `decode`."""
    with _in_plain_words():
        return msgspec.convert(content, kind)


@contextmanager
def _in_plain_words() -> Iterator[None]:
    try:
        yield
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except msgspec.ValidationError as error:
        text = re.sub(r"`str` matching regex '.*'", "text of another form", str(error))
        raise ValueError(text) from None
