"""Where the compressed buffers of a message of Arrow IPC lie.

Layout, as in Arrow's `Message.fbs` and in FlatBuffers: a message is a table, whose fields are found
through a list of offsets. A compressed buffer begins with its size when unpacked, eight bytes.
"""

import struct

_TYPE, _HEADER = 1, 2  # fields of a message
_DICTIONARY, _BATCH = 2, 3  # types of its header
_DATA = 1  # field of a dictionary: its batch
_BUFFERS, _COMPRESSION = 2, 3  # fields of a batch


def compressed_buffers(message: bytes) -> list[int]:
    """The place in the body of each buffer that may be compressed.

    Args:
        message: its description, without the body; where it is something else, there are none.
    """
    try:
        root = struct.unpack_from("<I", message)[0]
        kind = message[_field(message, root, _TYPE)]
        batch = _table(message, root, _HEADER)
        if kind == _DICTIONARY:
            batch = _table(message, batch, _DATA)
        elif kind != _BATCH:
            return []
        if not _field(message, batch, _COMPRESSION):
            return []
        start = _table(message, batch, _BUFFERS)
        (count,) = struct.unpack_from("<I", message, start)
        pairs = struct.unpack_from(f"<{2 * count}q", message, start + 4)
    except (struct.error, IndexError):
        return []
    return [place for place, length in zip(pairs[::2], pairs[1::2], strict=True) if length]


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a table is; 0 where it is left out."""
    (back,) = struct.unpack_from("<i", data, table)
    (size,) = struct.unpack_from("<H", data, table - back)
    if 4 + 2 * number >= size:
        return 0
    (place,) = struct.unpack_from("<H", data, table - back + 4 + 2 * number)
    return table + place if place else 0


def _table(data: bytes, table: int, number: int) -> int:
    """Where that begins to which a field refers."""
    place = _field(data, table, number)
    return place + int(struct.unpack_from("<I", data, place)[0])
