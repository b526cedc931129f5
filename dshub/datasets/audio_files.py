"""Recognize audio files by their content, and notice cut ones.

libsndfile silently returns the beginning of a cut WAV, AIFF, Ogg or MP3 file, so the containers are
checked here. Sources: Microsoft's RIFF and EBU Tech 3306 (RF64) for WAV, Apple's AIFF 1.3, RFC 3533
for Ogg, ISO 11172-3 and ISO 13818-3 for MP3.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Literal

Encoding = Literal["wav", "flac", "mp3", "ogg", "aiff"]

STREAMED = 0x7FFFF000  # larger sizes are placeholders of programs that write WAV to a pipe
_ID3 = 10  # bytes of the header and of the footer of an ID3v2 tag
# kbit/s by the index in the header of a layer III frame, for MPEG 1, and for MPEG 2 and 2.5
_BITRATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_RATES = (44100, 48000, 32000)  # Hz of MPEG 1; MPEG 2 has half, and MPEG 2.5 a quarter


def encoding_of(head: bytes) -> Encoding | None:
    """Return the encoding of an audio file from its first 12 bytes, or None for other files."""
    if head[:4] in {b"RIFF", b"RF64", b"RIFX"}:
        return "wav" if head[8:12] == b"WAVE" else None
    if head[:4] == b"FORM":
        return "aiff" if head[8:12] in {b"AIFF", b"AIFC"} else None
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        return "ogg"
    is_frame = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] >> 4 < 15
    return "mp3" if head[:3] == b"ID3" or is_frame else None


def complete(data: bytes, encoding: Encoding) -> bytes:
    """Return a file after checking that its end is present.

    A WAV file of unknown or 64-bit length is returned with the actual length in a plain header.

    Raises:
        ValueError: the file is cut.
    """
    check = _CHECKS.get(encoding)
    return data if check is None else check(data)


def _cut(promised: int, present: int) -> ValueError:
    return ValueError(f"its header promises {promised:,} bytes of audio, but {present:,} follow")


def _complete_wav(data: bytes) -> bytes:
    order = ">" if data[:4] == b"RIFX" else "<"
    offset, in_ds64 = _wav_samples(data, order)
    whole, stored = (struct.unpack_from(f"{order}I", data, at)[0] for at in (4, offset - 4))
    present, size = len(data) - offset, stored
    if data[:4] == b"RF64" and stored == 0xFFFFFFFF:
        size = in_ds64 or stored
    if size >= STREAMED or (size == 0 and whole in {0, 0xFFFFFFFF}):
        size = present
    if size > present:
        raise _cut(size, present)
    if size == stored and data[:4] != b"RF64":
        return data
    kind = data[:4].replace(b"RF64", b"RIFF")
    sizes = [struct.pack(f"{order}I", number) for number in (len(data) - 8, size)]
    return b"".join([kind, sizes[0], data[8 : offset - 4], sizes[1], data[offset:]])


def _wav_samples(data: bytes, order: str) -> tuple[int, int]:
    """Return the offset of the samples, and their size in a `ds64` chunk, or 0 without one."""
    offset, in_ds64 = 12, 0
    while offset + 8 <= len(data):
        name, size = struct.unpack_from(f"{order}4sI", data, offset)
        offset += 8
        if name == b"data":
            return offset, in_ds64
        if name == b"ds64" and offset + 16 <= len(data):
            in_ds64 = struct.unpack_from("<Q", data, offset + 8)[0]
        offset += size + size % 2
    raise ValueError("it is truncated")


def _complete_aiff(data: bytes) -> bytes:
    offset = 12
    while offset + 8 <= len(data):
        name, size = struct.unpack_from(">4sI", data, offset)
        offset += 8
        if name == b"SSND":
            if size > len(data) - offset:
                raise _cut(size, len(data) - offset)
            return data
        offset += size + size % 2
    raise ValueError("it is truncated")


def _complete_ogg(data: bytes) -> bytes:
    offset = flags = 0
    while data[offset : offset + 4] == b"OggS" and offset + 27 <= len(data):
        flags, segments = data[offset + 5], data[offset + 26]
        offset += 27
        offset += segments + sum(data[offset : offset + segments])
    if offset > len(data) or not flags & 4:  # the flag of a last page
        raise ValueError("it is truncated: its last page is missing")
    return data


def _complete_mp3(data: bytes) -> bytes:
    """Follow the frames. If their length is not in their header, leave the check to the decoder."""
    offset = 0
    if data[:3] == b"ID3" and len(data) >= _ID3:
        size = sum(byte << 7 * i for i, byte in enumerate(reversed(data[6:10])))
        offset = _ID3 + size + (_ID3 if data[5] & 0x10 else 0)
    if offset >= len(data):
        raise ValueError("it is truncated")
    while length := _frame_length(data[offset : offset + 3]):
        offset += length
    if offset > len(data):
        raise ValueError("it is truncated: its last frame is incomplete")
    return data


def _frame_length(head: bytes) -> int:
    """Return the bytes of a layer III frame; 0 for other data, or if no bit rate is stated."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate == 15 or rate == 3:
        return 0
    is_first = version == 3
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = (144_000 if is_first else 72_000) * _BITRATES[0 if is_first else 1][bitrate]
    return bits // hertz + (head[2] >> 1 & 1) if bits else 0


_CHECKS: Mapping[str, Callable[[bytes], bytes]] = {
    "wav": _complete_wav,
    "aiff": _complete_aiff,
    "ogg": _complete_ogg,
    "mp3": _complete_mp3,  # libsndfile compares FLAC with the length in its header
}
