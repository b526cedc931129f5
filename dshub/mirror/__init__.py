"""A mirror: a plain folder with a `blobs-v1` tree, and any web server in front of it.

The address of a file follows from its checksum, so a cache can be served as it is. `Server` is a
web server for a desk, a class or a lab, read-only, and without TLS of its own; `serving` runs one
while a block of a program runs. With a `Puller` it fetches what it does not have.
"""

from dshub.mirror.connections import Served
from dshub.mirror.lines import Limits
from dshub.mirror.machine import room_for_clients, urls
from dshub.mirror.places import Folder, of_mirror
from dshub.mirror.pulling import Puller
from dshub.mirror.server import Server, listen
from dshub.mirror.serving import serving

__all__ = [
    "Folder",
    "Limits",
    "Puller",
    "Served",
    "Server",
    "listen",
    "of_mirror",
    "room_for_clients",
    "serving",
    "urls",
]
