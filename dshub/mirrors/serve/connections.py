"""One client's connection: its requests in turn, each answered with a file, a part or a status."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from dshub.mirrors.serve.lines import NEVER, Broken, Line
from dshub.mirrors.serve.messages import Refusal, Request, Version, head, parse, wanted
from dshub.mirrors.serve.places import LASTING, OTHER, Folder, Found, digest_of, parts_of
from dshub.mirrors.serve.pulling import Pull, Puller, send_arriving

# after these the connection ends: what follows on it may not be a request
_LAST = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
}

NO_PAGES = "there are no pages here; for dshub, name this address in DSHUB_MIRROR"


@dataclass
class Served:
    """What became of a request, for a log.

    Attributes:
        client: its address.
        what: method and target; empty where they could not be read.
        status: of the answer; None where there was none.
        size: bytes of the body that were sent.
        whole: whether the answer went out as it was announced.
        seconds: from the request to the end of the answer.
    """

    client: str
    what: str = ""
    status: HTTPStatus | None = None
    size: int = 0
    whole: bool = False
    seconds: float = 0.0


class Connection:
    """A client's connection.

    Args:
        line: to the client.
        folder: what is served.
        puller: fetches what is missing; None where nothing is fetched.
        log: told of each request when its answer has ended.

    Attributes:
        last: set to close the connection after the answer that is under way.
    """

    def __init__(
        self,
        line: Line,
        folder: Folder,
        puller: Puller | None = None,
        *,
        log: Callable[[Served], None] = lambda _: None,
        client: str = "",
    ) -> None:
        self.line, self._folder, self._puller = line, folder, puller
        self._log, self._client = log, client
        self.last = False

    async def run(self) -> None:
        """Answer until either side has enough."""
        with suppress(OSError, Broken):
            while not self.last:
                await self._one(await self.line.receive())

    async def _one(self, data: bytes) -> None:
        """Answer a request, and log it, however it ends."""
        served, began, before = Served(self._client), time.monotonic(), self.line.sent
        try:
            try:
                request = parse(data)
                served.what = f"{request.method} {request.target}"
                self.last = self.last or not request.keep
                await self._answer(request, served)
            except Refusal as refusal:
                served.status = refusal.status
                await self._refuse(refusal, body=not served.what.startswith("HEAD "))
            served.whole = True
        finally:
            served.size = self.line.sent - before
            served.seconds = time.monotonic() - began
            self._log(served)

    async def _refuse(self, refusal: Refusal, *, body: bool) -> None:
        self.last = self.last or refusal.status in _LAST
        text = f"{refusal}\n".encode()
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))}
        start = head(refusal.status, headers | refusal.headers, keep=not self.last)
        await self.line.send(start + text if body else start, body=len(text) if body else 0)
        if refusal.status in _LAST:
            await self.line.drain()

    async def _answer(self, request: Request, served: Served) -> None:
        parts = parts_of(request.path)
        if parts is None:
            raise Refusal(HTTPStatus.NOT_FOUND)
        found = self._folder.find(parts)
        pull = self._pull(parts) if found is None else None
        if pull is not None:
            found = await self._arrival(request, parts, pull, served)
        if found is not None:
            if self._puller is not None and digest_of(parts) is not None:
                self._puller.note_use(parts)
            with found.file:
                await self._file(request, found, served)
        elif pull is None:
            raise Refusal(HTTPStatus.NOT_FOUND, NO_PAGES if parts == ("index.html",) else "")

    async def _begin(self, status: HTTPStatus, headers: Mapping[str, str], served: Served) -> None:
        served.status = status
        await self.line.send(head(status, headers, keep=not self.last))

    async def _file(self, request: Request, found: Found, served: Served) -> None:
        """A file that is here."""
        found.version.check(request)
        headers = found.headers | found.version.headers | {"Accept-Ranges": "bytes"}
        if found.version.known(request):
            await self._begin(HTTPStatus.NOT_MODIFIED, headers, served)
            return
        part = wanted(request, found.size, found.version)
        await self._begin(*_about(part, found.size, headers), served)
        if request.method == "GET":
            span = part or range(found.size)
            await self.line.send_file(found.file, span.start, span.stop)

    def _pull(self, parts: tuple[str, ...]) -> Pull | None:
        digest = digest_of(parts)
        if self._puller is None or digest is None or not self._folder.serves(parts):
            return None
        return self._puller.pull(digest)

    async def _arrival(
        self, request: Request, parts: tuple[str, ...], pull: Pull, served: Served
    ) -> Found | None:
        """A file that is on its way: answered here, or returned once it has come.

        The head waits until there is something to send, so that a file that nobody has gets a
        status that says so. Parts are not offered: they would have to wait for the whole.
        """
        size, version = pull.job.resource.size, Version(f'"{pull.job.resource.digest.hex}"')
        version.check(request)
        part = None if size is None else wanted(request, size, version)
        start = part.start if part else 0
        self.line.deadline = NEVER  # the fetcher has time-outs of its own
        whole = size is None and not request.version  # HTTP/1.0 knows no chunks
        while not pull.settled and (whole or not pull.peek(start, 1)[1]):
            await pull.news()
        if pull.error is not None:
            raise Refusal(pull.status, str(pull.error))
        if pull.path is not None:
            return self._folder.find(parts)
        headers = {"Content-Type": OTHER, "Cache-Control": LASTING} | version.headers
        if size is None:
            await self._begin(HTTPStatus.OK, headers | {"Transfer-Encoding": "chunked"}, served)
        else:
            await self._begin(*_about(part, size, headers), served)
        if request.method == "GET":
            await send_arriving(self.line, pull, part or (None if size is None else range(size)))
        return None


def _about(
    part: range | None, size: int, headers: Mapping[str, str]
) -> tuple[HTTPStatus, dict[str, str]]:
    """Status and headers of a part of a file, or of all of it."""
    if part is None:
        return HTTPStatus.OK, {**headers, "Content-Length": str(size)}
    told = f"bytes {part.start}-{part.stop - 1}/{size}"
    found = {**headers, "Content-Length": str(len(part)), "Content-Range": told}
    return HTTPStatus.PARTIAL_CONTENT, found
