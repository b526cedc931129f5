"""Answer the requests of one client connection with a file, part of a file, or a status."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from dshub.mirrors.serve import http, routes
from dshub.mirrors.serve.http import Refusal, Request, Validators
from dshub.mirrors.serve.pulling import Pull, Puller, send_arriving
from dshub.mirrors.serve.routes import Folder, OpenFile
from dshub.mirrors.serve.sockets import NEVER, Broken, ClientSocket

NO_PAGES = "this server has no web pages; to use it with dshub, set DSHUB_MIRROR to its address"


@dataclass
class Access:
    """Entry of the access log.

    Attributes:
        client: address of the client.
        request: method and target; empty if the request could not be parsed.
        status: response status; None if no response was sent.
        size: number of body bytes sent.
        complete: whether the whole response was sent.
        seconds: time from the request to the end of the response.
    """

    client: str
    request: str = ""
    status: HTTPStatus | None = None
    size: int = 0
    complete: bool = False
    seconds: float = 0.0


@dataclass(eq=False)
class Connection:
    """Connection to a client.

    Attributes:
        sock: connected socket.
        folder: folder to serve.
        puller: fetcher of missing files; None to fetch nothing.
        log: called after each response.
        client: address of the client, for the log.
        closing: set to close the connection after the current response.
    """

    sock: ClientSocket
    folder: Folder
    puller: Puller | None
    log: Callable[[Access], None]
    client: str
    closing: bool = False

    async def run(self) -> None:
        """Answer requests until either side closes the connection."""
        with suppress(OSError, Broken):
            while not self.closing:
                await self._answer(await self.sock.receive())

    async def _answer(self, head: bytes) -> None:
        """Answer a request, and log it even if the response fails."""
        access, began, before = Access(self.client), time.monotonic(), self.sock.sent
        request = None
        try:
            try:
                request = http.parse(head)
                access.request = f"{request.method} {request.target}"
                self.closing = self.closing or not request.keep_alive
                await self._serve(request, access)
            except Refusal as refusal:
                await self._refuse(refusal, request, access)
            access.complete = True
        finally:
            access.size = self.sock.sent - before
            access.seconds = time.monotonic() - began
            self.log(access)

    async def _begin(self, access: Access, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        access.status = status
        await self.sock.send(http.response_head(status, headers, keep_alive=not self.closing))

    async def _refuse(self, refusal: Refusal, request: Request | None, access: Access) -> None:
        self.closing = self.closing or request is None  # the next bytes may belong to this request
        text = f"{refusal}\n".encode()
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))}
        await self._begin(access, refusal.status, headers | refusal.headers)
        if request is None or request.method != "HEAD":
            await self.sock.send(text, body=len(text))
        if request is None:
            await self.sock.drain()

    async def _serve(self, request: Request, access: Access) -> None:
        parts = routes.split_path(request.path)
        if parts is None:
            raise Refusal(HTTPStatus.NOT_FOUND)
        opened = self.folder.open(parts)
        if opened is None and (pull := self._pull(parts)):
            if await self._serve_arriving(request, pull, access):
                return
            opened = self.folder.open(parts)
        if opened is None:
            raise Refusal(HTTPStatus.NOT_FOUND, NO_PAGES if parts == ("index.html",) else "")
        if self.puller is not None and routes.digest_of(parts) is not None:
            store = self.puller.store
            store.touch(store.root.joinpath(*parts))  # postpones eviction
        with opened.file:
            await self._serve_file(request, opened, access)

    async def _serve_file(self, request: Request, opened: OpenFile, access: Access) -> None:
        opened.validators.check_preconditions(request)
        headers = opened.headers | opened.validators.headers | {"Accept-Ranges": "bytes"}
        if opened.validators.match_cached(request):
            await self._begin(access, HTTPStatus.NOT_MODIFIED, headers)
            return
        part = http.requested_range(request, opened.size, opened.validators)
        status, content = http.content_headers(part, opened.size)
        await self._begin(access, status, headers | content)
        if request.method == "GET":
            span = part or range(opened.size)
            await self.sock.send_file(opened.file, span.start, span.stop)

    def _pull(self, parts: tuple[str, ...]) -> Pull | None:
        digest = routes.digest_of(parts)
        if self.puller is None or digest is None or not self.folder.serves(parts):
            return None
        return self.puller.pull(digest)

    async def _serve_arriving(self, request: Request, pull: Pull, access: Access) -> bool:
        """Serve a file while it is being fetched; return False if the fetch is already complete.

        The response head waits for the first bytes, so that a failed fetch gets an error status.
        Range support is not advertised, because a range can have to wait for most of the file.
        """
        size, validators = pull.job.resource.size, Validators(f'"{pull.job.resource.digest.hex}"')
        validators.check_preconditions(request)
        part = None if size is None else http.requested_range(request, size, validators)
        self.sock.deadline = NEVER  # the fetcher has its own timeouts
        while not pull.settled and not pull.peek(part.start if part else 0, 1)[1]:
            await pull.news()
        if pull.error is not None:
            raise Refusal(pull.status, str(pull.error))
        if pull.path is not None:
            return False
        status, content = http.content_headers(part, size)
        unknown = size is None
        self.closing = self.closing or unknown  # without a length, closing ends the body
        await self._begin(access, status, routes.BLOB_HEADERS | validators.headers | content)
        if request.method == "GET":
            self.sock.ends_body = unknown
            await send_arriving(self.sock, pull, part or range(size or sys.maxsize))
            self.sock.ends_body = False
        return True
