"""The body of an answer whose file is still on its way."""

from io import FileIO

from dshub.errors import DshubError
from dshub.files import open_file
from dshub.mirror.lines import COPIED, NEVER, Broken, Line
from dshub.mirror.pulling import Pull


async def send_arriving(line: Line, pull: Pull, span: range | None) -> None:
    """Send a part of a file as it arrives, from its beginning, however late one comes.

    Args:
        line: to the client.
        pull: the file.
        span: the bytes to send. None sends all of a file whose size is not known, in chunks: its
            end is told by the last one.

    Raises:
        Broken: the file did not come, or what was sent of it was taken back.
    """
    size = pull.job.resource.size
    at, stop = (0, None) if span is None else (span.start, span.stop)
    # whoever has the last byte has a file that was checked; chunks need not be held back
    limit = stop if stop is None or stop != size else stop - 1
    begun = None  # version of the file of which bytes were sent
    while stop is None or at < stop:
        room = COPIED if limit is None else min(COPIED, limit - at)
        version, piece = _look(pull, at, room)
        if begun not in {None, version} or pull.error is not None:
            raise Broken
        if pull.path is not None:
            with open_file(pull.path) as file:
                await _rest(line, file, at, stop)
            return
        if piece:
            begun, at = version, at + len(piece)
            await line.send(_chunk(piece) if span is None else piece, body=len(piece))
        else:
            line.deadline = NEVER
            await pull.news()


def _look(pull: Pull, at: int, room: int) -> tuple[int, bytes]:
    try:
        return pull.peek(at, room)
    except DshubError as error:  # the disk
        raise Broken from error


async def _rest(line: Line, file: FileIO, at: int, stop: int | None) -> None:
    """What is left of a file that has come."""
    if stop is not None:
        await line.send_file(file, at, stop)
        return
    end = file.seek(0, 2)
    if at < end:
        await line.send(b"%x\r\n" % (end - at))
        await line.send_file(file, at, end)
        await line.send(b"\r\n")
    await line.send(b"0\r\n\r\n")


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(piece), piece)
