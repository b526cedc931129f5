"""What others can test their plug-ins with: conformance suites, and a server that misbehaves.

Subclass a suite in your own tests and say how to make the thing; every test of the suite then
runs against it. dshub's own plug-ins are tested in the same way.

* `ReaderTests`: a file format.
* `TransportTests`: a URL scheme.
* `AdapterTests`: a framework.
* `FaultyServer`: an HTTP server for a folder, with faults for chosen requests.

This package needs pytest, which is in `dshub[test]`.
"""

from dshub.testing.adapters import AdapterTests
from dshub.testing.readers import ReaderTests
from dshub.testing.server import Fault, FaultyServer, faulty_server
from dshub.testing.transports import TransportTests

__all__ = [
    "AdapterTests",
    "Fault",
    "FaultyServer",
    "ReaderTests",
    "TransportTests",
    "faulty_server",
]
