"""A shard on its way to disk: its largest buffer is written in its place, and not once more.

An Arrow stream (Columnar Format 1.4, "IPC streaming format") is a message with the schema, and for
each record batch a message that says where in the body behind it each buffer lies; the body; and
an end. That message stands before bytes whose number nobody knows yet. So room is left for it, one
column writes its bytes behind that as they come, the others follow at the end; then the message
that Arrow makes for the batch is put into the room, filled up with zeros, as the format allows,
and with the places where the buffers really are.
"""

import io
import struct
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

_ALIGNED = 64  # bytes: the boundary on which the format wants buffers to begin
_PAGE = 4096
_MORE = 1024  # bytes by which the message of many rows may be longer than that of none
_CONTINUATION = b"\xff\xff\xff\xff"
_BODY_LENGTH, _HEADER, _BUFFERS = 3, 2, 2  # numbers of fields in Message.fbs


class ShardFile:
    """A new file with one record batch.

    Attributes:
        path: its name.
        file: where to write the bytes of one buffer, before `finish`.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self._schema = path, schema
        none = pa.RecordBatch.from_pylist([], schema=schema)
        room = schema.serialize().size + none.serialize().size + _MORE
        self._body = room + -room % _PAGE
        self.file: BinaryIO = path.open("xb+")
        self.file.seek(self._body)

    def finish(self, batch: pa.RecordBatch, direct: pa.Buffer | None) -> None:
        """Write what is missing, and close the file.

        Args:
            batch: all rows.
            direct: the buffer of it that was written already.
        """
        sink = _Sink(self.file, self._body, direct)
        with pa.ipc.new_stream(sink, self._schema) as writer:
            writer.write_batch(batch)
        end = sink.align()
        self.file.write(_CONTINUATION + bytes(4))
        schema, message = _messages(b"".join(sink.head))
        room = self._body - len(schema) - 8
        self.file.seek(0)
        self.file.write(schema + _CONTINUATION + struct.pack("<I", room))
        self.file.write(_placed(message, sink.places, end - self._body))
        self.file.close()

    def drop(self) -> None:
        """Remove it, unfinished as it is."""
        self.file.close()
        self.path.unlink(missing_ok=True)


class _Sink(io.RawIOBase):
    """Takes an Arrow stream apart: messages, and buffers, which are written.

    Attributes:
        head: the messages, in pieces.
        places: where each buffer lies, in bytes from the beginning of the body.
    """

    def __init__(self, file: BinaryIO, body: int, direct: pa.Buffer | None) -> None:
        self._file, self._body, self._direct = file, body, direct
        self.head: list[bytes] = []
        self.places: list[int] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        """Arrow hands over buffers as such, and anything else as bytes."""
        if not isinstance(data, pa.Buffer):
            plain = cast("bytes", data)
            if not self.places:  # behind that come zeros between buffers, and the end
                self.head.append(plain)
            return len(plain)
        if self._direct is not None and data.address == self._direct.address:
            self.places.append(0)
        else:
            self.places.append(self.align() - self._body)
            self._file.write(data)
        return cast("int", data.size)

    def align(self) -> int:
        """Fill up with zeros to where a buffer may begin; that place."""
        end = self._file.tell()
        self._file.write(bytes(-end % _ALIGNED))
        return end + -end % _ALIGNED


def _messages(head: bytes) -> tuple[bytes, bytes]:
    """The whole message of the schema, and the inner part of that of the batch."""
    (length,) = struct.unpack_from("<I", head, 4)
    return head[: 8 + length], head[8 + length + 8 :]


def _placed(message: bytes, places: list[int], body: int) -> bytes:
    """The message of a batch, with other places for its buffers, those that are not empty.

    It is a FlatBuffer: tables point to their fields by a table of offsets before them.
    """
    made = bytearray(message)
    root = _followed(made, 0)
    struct.pack_into("<q", made, _field(made, root, _BODY_LENGTH), body)
    batch = _followed(made, _field(made, root, _HEADER))
    buffers = _followed(made, _field(made, batch, _BUFFERS))
    (count,) = struct.unpack_from("<I", made, buffers)
    left = iter(places)
    for at in range(buffers + 4, buffers + 4 + 16 * count, 16):
        if struct.unpack_from("<q", made, at + 8) != (0,):
            struct.pack_into("<q", made, at, next(left))
    return bytes(made)


def _followed(data: bytearray, at: int) -> int:
    """What the pointer at a place points to."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytearray, table: int, number: int) -> int:
    """The place of a field of a table; it has to be there."""
    offsets = table - int(struct.unpack_from("<i", data, table)[0])
    return table + int(struct.unpack_from("<H", data, offsets + 4 + 2 * number)[0])
