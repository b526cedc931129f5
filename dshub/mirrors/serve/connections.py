"""One client's connection: answer its requests in turn with a file, a part of one, or a status."""

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

NO_PAGES = "there are no pages here; to use this server in dshub, name its address in DSHUB_MIRROR"


@dataclass
class Access:
    """An entry of the access log.

    Attributes:
        client: its address.
        request: method and target; empty if they could not be read.
        status: of the response; None if there was none.
        size: bytes of the body that were sent.
        complete: whether the whole response was sent.
        seconds: from the request to the end of the response.
    """

    client: str
    request: str = ""
    status: HTTPStatus | None = None
    size: int = 0
    complete: bool = False
    seconds: float = 0.0


@dataclass(eq=False)
class Connection:
    """A client's connection.

    Attributes:
        sock: connected to the client.
        folder: the served folder.
        puller: fetches missing files; None to fetch nothing.
        log: called with each request when its response has ended.
        client: its address, for the log.
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
        """Answer a request, and log it, however it ends."""
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
        self.closing = self.closing or request is None  # what follows may not be a request
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
            store = self.puller.store  # whose `dshub cache prune` evicts others first
            store.touch(store.root.joinpath(*parts))
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
        """Serve a file while it is being fetched; False if it has arrived meanwhile.

        The head is not sent before there is something to send, so that a failed fetch gets a
        status that says so. Ranges are not advertised: they would have to wait for the whole file.
        """
        size, validators = pull.job.resource.size, Validators(f'"{pull.job.resource.digest.hex}"')
        validators.check_preconditions(request)
        part = None if size is None else http.requested_range(request, size, validators)
        self.sock.deadline = NEVER  # the fetcher has timeouts of its own
        while not pull.settled and not pull.peek(part.start if part else 0, 1)[1]:
            await pull.news()
        if pull.error is not None:
            raise Refusal(pull.status, str(pull.error))
        if pull.path is not None:
            return False
        status, content = http.content_headers(part, size)
        unknown = size is None
        self.closing = self.closing or unknown  # which ends the body
        await self._begin(access, status, routes.BLOB_HEADERS | validators.headers | content)
        if request.method == "GET":
            self.sock.ends_body = unknown
            await send_arriving(self.sock, pull, part or range(size or sys.maxsize))
            self.sock.ends_body = False
        return True
