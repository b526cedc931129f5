"""What others can test their plug-ins with: conformance suites, and a server that misbehaves.

Subclass a suite in your own tests and say how to make the thing; every test of the suite then
runs against it. dshub's own plug-ins are tested in the same way.

* `ReaderTests`: a file format.
* `ArchiveTests`: an archive kind.
* `TransportTests`: a URL scheme.
* `AdapterTests`: a framework; `RowsTests` or `BatchesTests` one that gives rows, or batches, alone.
* `faulty_server`: an HTTP server for a folder, with faults for chosen requests.
* `SCENARIOS`, `play`: everything that can go wrong with a download, by name, for a downloader.

This package needs pytest, and trustme for scenarios with TLS; both are in `dshub[test]`.
"""

from dshub.testing.adapters import AdapterTests, BatchesTests, RowsTests
from dshub.testing.answers import Fault
from dshub.testing.archives import ArchiveTests
from dshub.testing.catalogue import SCENARIOS
from dshub.testing.readers import ReaderTests
from dshub.testing.scenarios import Scenario, write_files
from dshub.testing.server import FaultyServer, faulty_server
from dshub.testing.stage import Stage, play
from dshub.testing.transports import TransportTests

__all__ = [
    "SCENARIOS",
    "AdapterTests",
    "ArchiveTests",
    "BatchesTests",
    "Fault",
    "FaultyServer",
    "ReaderTests",
    "RowsTests",
    "Scenario",
    "Stage",
    "TransportTests",
    "faulty_server",
    "play",
    "write_files",
]
