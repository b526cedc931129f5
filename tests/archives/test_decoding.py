"""Test recognizing file types by content and decoding compressed streams."""

import bz2
import gzip
import io
import lzma
import zlib
from functools import partial

import pytest

from dshub.archives._decoding import (
    DEFLATE,
    HEAD,
    TAIL,
    Damage,
    Decoded,
    Inflate,
    container_of,
    stream_of,
)
from tests.independent.packed import tarred, zipped

PLAIN = bytes(range(256)) * 300


def deflated() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, DEFLATE)
    return packer.compress(PLAIN) + packer.flush()


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (gzip.compress(b""), ".gz"),
        (bz2.compress(b""), ".bz2"),
        (lzma.compress(b""), ".xz"),
        (b"plain text", None),
        (b"", None),
    ],
    ids=["gzip", "bzip2", "xz", "text", "empty"],
)
def test_streams_are_recognized_by_their_beginning(data: bytes, suffix: str | None) -> None:
    kind = stream_of(data[:HEAD])
    assert (kind.suffix if kind else None) == suffix


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (tarred({"a": b"1"}), ".tar"),
        (zipped({"a": b"1"}), ".zip"),
        (b"#!/bin/sh\n" + bytes(HEAD) + zipped({"a": b"1"}), ".zip"),
        (tarred({"a.zip": zipped({"a": b"1"})}), ".tar"),
        (bytes(HEAD), None),
    ],
    ids=["tar", "zip", "zip after a script", "zip in a tar", "zeros"],
)
def test_containers_are_recognized_by_beginning_or_end(data: bytes, suffix: str | None) -> None:
    kind = container_of(data[:HEAD], data[-TAIL:])
    assert (kind.suffix if kind else None) == suffix


@pytest.mark.parametrize("size", [1, 1000, len(PLAIN), 2 * len(PLAIN)])
def test_reads_are_full_except_at_the_end(size: int) -> None:
    stream = Decoded(io.BytesIO(deflated()), partial(Inflate, DEFLATE), many=False)
    pieces = list(iter(partial(stream.read, size), b""))
    assert b"".join(pieces) == PLAIN
    assert all(len(piece) == size for piece in pieces[:-1])


@pytest.mark.parametrize(
    ("data", "message"),
    [(deflated()[:-1], "truncated"), (deflated() + b"!", "more data follows"), (b"\xff" * 9, ".")],
)
def test_damaged_data_is_reported(data: bytes, message: str) -> None:
    stream = Decoded(io.BytesIO(data), partial(Inflate, DEFLATE), many=False)
    with pytest.raises(Damage, match=message):
        stream.readall()
