"""Serving a folder while a block of a program runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dshub.mirror.lines import Limits
from dshub.mirror.machine import urls
from dshub.mirror.places import Folder, Public, everything
from dshub.mirror.pulling import Puller
from dshub.mirror.server import Server, listen


@contextmanager
def serving(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    public: Public = everything,
    puller: Puller | None = None,
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serve a folder while the block runs; yields its address, such as `http://127.0.0.1:4711`.

    Args:
        folder: what to serve; without a `puller` it is only read.
        host: the address to listen on.
        port: 0 takes a free one.
        public: which of its files are for others; `of_mirror` is what `dshub serve` serves.
        puller: fetches what is missing.
        limits: how long clients may take.

    Raises:
        DshubError: it cannot listen there.
    """
    listening = listen(host, port)
    server = Server(listening, Folder(folder, public), puller=puller, limits=limits)
    [url, *_] = urls(listening)
    thread = threading.Thread(target=server.run, daemon=True, name="dshub-serve")
    thread.start()
    try:
        yield url
    finally:
        server.stop()
        thread.join()
