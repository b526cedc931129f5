"""A mirror: a plain folder with a `blobs-v1` tree, and any web server in front of it.

The address of a file follows from its checksum, so a cache can be served as it is. `serving` is
a small read-only server for one machine, a class or a test.
"""

from dshub.mirror.serving import serving

__all__ = ["serving"]
