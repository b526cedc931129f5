"""Conformance suites for plug-ins, and a faulty HTTP server.

Subclass a suite in your tests and say how to create the plug-in; pytest then runs every test of
the suite against it. dshub tests its own plug-ins in the same way.

* `ReaderTests`: a file format.
* `ArchiveTests`: an archive kind.
* `TransportTests`: a URL scheme.
* `AdapterTests`: a framework; `RowsTests` or `BatchesTests` if it has only rows, or only batches.
* `faulty_server`: an HTTP server for a folder, with faults for chosen requests.

This package needs pytest, which `dshub[test]` installs.
"""

from dshub.testing.adapters import AdapterTests, BatchesTests, RowsTests
from dshub.testing.answers import Fault
from dshub.testing.archives import ArchiveTests
from dshub.testing.readers import ReaderTests
from dshub.testing.server import FaultyServer, faulty_server
from dshub.testing.transports import TransportTests

__all__ = [
    "AdapterTests",
    "ArchiveTests",
    "BatchesTests",
    "Fault",
    "FaultyServer",
    "ReaderTests",
    "RowsTests",
    "TransportTests",
    "faulty_server",
]
