"""Mutations that get past checksums and grammars."""

import bz2
import gzip
import json
import lzma
import struct
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from tests.independent import zstd

LONG = 8192  # maximum bytes of a repeated piece
MOST = 1 << 20  # maximum decompressed bytes per input
Bytes = Callable[[bytes], bytes]
"""Mutates bytes."""

Mutate = Callable[[bytes, Random, Bytes], bytes]
"""Mutates an input, applying the fuzzer's byte mutation to parts of the input."""

VALUES: tuple[Any, ...] = (
    *(True, 0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**64, -(2**63), 0.5, -1.5, 1e308),
    *("", " ", "a", "..", "../up", "/etc/passwd", "a\0b", "a\nb", "²", "1.0.0", "*", "[", "%", "é"),
    *("9" * 30, "x" * 300, "sha256:00", "md5:" + "0" * 32, "0" * 64, "http://[", "{a}", "{a:path}"),
    *([], {}, [[]], [""], {"": ""}, ["a", 1]),
)


def stretched(data: bytes, random: Random) -> bytes:
    """Repeat a few bytes many times, mostly after punctuation, where grammars allow repetition."""
    signs = [at for at, byte in enumerate(data, 1) if not chr(byte).isalnum()]
    at = random.choice(signs) if signs and random.random() < 0.7 else random.randint(0, len(data))
    own = data[at : at + random.choice([1, 2, 4, 16])] or b"\n"
    piece = random.choice([own, own, b" ", b" ", b"\n", b"9", b"(", b"[", b"{"])
    rest = data[at:] if random.random() < 0.5 else b"\n" + data[at:]
    return data[:at] + piece * (random.randrange(LONG) // len(piece)) + rest


def bytewise(data: bytes, random: Random, change: Bytes) -> bytes:
    """Change bytes anywhere."""
    del random
    return change(data)


def repaired(fix: Bytes, step: Mutate | None = None) -> Mutate:
    """Build a mutation that changes bytes or runs `step`, then usually repairs checksums."""

    def mutate(data: bytes, random: Random, change: Bytes) -> bytes:
        changed = step(data, random, change) if step else change(data)
        return changed if random.random() < 0.1 else fix(changed)

    return mutate


def inside(unpack: Bytes, pack: Bytes, step: Mutate | None = None) -> Mutate:
    """Build a mutation that usually changes the decompressed content, or else compressed bytes."""

    def mutate(data: bytes, random: Random, change: Bytes) -> bytes:
        if random.random() < 0.3:
            return change(data)
        try:
            plain = unpack(data)
        except Exception:  # noqa: BLE001  # the input is already damaged
            return change(data)
        return pack(step(plain, random, change) if step else change(plain))

    return mutate


def document(load: Callable[[bytes], Any], dump: Callable[[Any], bytes]) -> Mutate:
    """Build a mutation that usually changes values of a JSON-like document, or else its bytes."""

    def mutate(data: bytes, random: Random, change: Bytes) -> bytes:
        if random.random() < 0.3:
            return change(data)
        try:
            value = load(data)
            for _ in range(random.randint(1, 3)):
                value = _changed(value, random, change)
            return dump(value)
        except Exception:  # noqa: BLE001  # unparsable input or unwritable change
            return change(data)

    return mutate


def json_bytes(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def json_document() -> Mutate:
    """Build a mutation that changes values of a JSON document."""
    return document(json.loads, json_bytes)


def _changed(value: Any, random: Random, change: Bytes) -> Any:
    """Change one value at any depth of a document."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        return _changed_dict(value, random, change)
    if isinstance(value, list) and value and random.random() < 0.85:
        position = random.randrange(len(value))
        new = [] if random.random() < 0.1 else [_changed(value[position], random, change)]
        new *= 2 if random.random() < 0.1 else 1
        return [*value[:position], *new, *value[position + 1 :]]
    if isinstance(value, str) and random.random() < 0.5:
        return change(value.encode("utf-8", "replace")).decode("utf-8", "replace")
    if isinstance(value, int) and random.random() < 0.5:
        return value + random.choice([-1, 1, 256, -value - 1, value])
    return random.choice(VALUES)


def _changed_dict(value: dict[str, Any], random: Random, change: Bytes) -> dict[str, Any]:
    key = random.choice(list(value))
    if random.random() < 0.1:
        return {name: item for name, item in value.items() if name != key}
    if random.random() < 0.1:
        other = random.choice([*value, "other", "", "a.b", "ü"])
        return value | {other: value[key]}
    return value | {key: _changed(value[key], random, change)}


def toml(value: dict[str, Any]) -> bytes:
    """Encode a document as TOML with inline tables only."""
    lines = [f"{_string(key)} = {_toml(item)}" for key, item in value.items()]
    return ("\n".join(lines) + "\n").encode()


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        items = (f"{_string(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(items)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return _string(value)
    return json.dumps(value)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def tar_sums(data: bytes) -> bytes:
    """Repair header checksums in tar blocks that look like headers."""
    blocks = bytearray(data)
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            total = sum(blocks[at : at + 148]) + 8 * ord(" ") + sum(blocks[at + 156 : at + 512])
            blocks[at + 148 : at + 156] = b"%06o\0 " % total
    return bytes(blocks)


def zip_sums(data: bytes) -> bytes:
    """Repair the CRC-32 and size of zip members that the central directory points to."""
    fixed, at = bytearray(data), data.find(b"PK\1\2")
    while at >= 0 and at + 46 <= len(data):
        (method,) = struct.unpack_from("<H", data, at + 10)
        packed, size = struct.unpack_from("<II", data, at + 20)
        (local,) = struct.unpack_from("<I", data, at + 42)
        if local + 30 <= len(data):
            name, extra = struct.unpack_from("<HH", data, local + 26)
            start = local + 30 + name + extra
            content = _stored(data[start : start + packed], method)
            struct.pack_into("<I", fixed, at + 16, zlib.crc32(content))
            struct.pack_into("<I", fixed, local + 14, zlib.crc32(content))
            if len(content) != size:
                struct.pack_into("<I", fixed, at + 24, len(content))
                struct.pack_into("<I", fixed, local + 22, len(content))
        at = data.find(b"PK\1\2", at + 46)
    return bytes(fixed)


def _stored(data: bytes, method: int) -> bytes:
    if method != 8:
        return data
    try:
        return zlib.decompressobj(-15).decompress(data, MOST)
    except zlib.error:
        return b""


def png_sums(data: bytes) -> bytes:
    """Repair the CRC-32 of PNG chunks up to the first invalid length."""
    fixed, at = bytearray(data), 8 if data.startswith(b"\x89PNG") else len(data)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            break
        struct.pack_into(">I", fixed, at + 8 + length, zlib.crc32(fixed[at + 4 : at + 8 + length]))
        at += 12 + length
    return bytes(fixed)


def png_pixels(data: bytes, random: Random, change: Bytes) -> bytes:
    """Change the decompressed content of the first IDAT chunk, or any bytes of the file."""
    at = data.find(b"IDAT")
    if at < 4 or random.random() < 0.6:
        return change(data)
    (length,) = struct.unpack_from(">I", data, at - 4)
    try:
        pixels = zlib.decompressobj().decompress(data[at + 4 : at + 4 + length], MOST)
    except zlib.error:
        return change(data)
    packed = zlib.compress(change(pixels))
    return (
        data[: at - 4] + struct.pack(">I", len(packed)) + b"IDAT" + packed + data[at + 4 + length :]
    )


def gz_sums(data: bytes) -> bytes:
    """Repair the trailer of a gzip file, assuming a header without optional fields."""
    decoder = zlib.decompressobj(-15)
    try:
        content = decoder.decompress(data[10:], MOST)
    except zlib.error:
        return data
    if not decoder.eof:
        return data
    end = len(data) - len(decoder.unused_data)
    trailer = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return data[:end] + trailer + data[end + 8 :]


def gunzipped(data: bytes) -> bytes:
    """Decompress gzip data."""
    return zlib.decompressobj(31).decompress(data, MOST)


def gzipped(data: bytes) -> bytes:
    """Compress to gzip without a timestamp, so that the output is reproducible."""
    return gzip.compress(data, mtime=0)


def unbzipped(data: bytes) -> bytes:
    """Decompress bzip2 data."""
    return bz2.BZ2Decompressor().decompress(data, MOST)


def unxzed(data: bytes) -> bytes:
    """Decompress xz data."""
    return lzma.LZMADecompressor(memlimit=1 << 27).decompress(data, MOST)


def unzstd(data: bytes) -> bytes:
    """Decompress Zstandard data."""
    plain: bytes = zstd.decompress(data)
    return plain[:MOST]
