"""Conformance suites for plug-ins, and a faulty HTTP server.

Subclass a suite in your tests and say how to create the plug-in; pytest then runs every test of
the suite against it. dshub tests its own plug-ins in the same way.

* `ReaderTests`: a file format.
* `ArchiveTests`: an archive kind.
* `TransportTests`: a URL scheme.
* `AdapterTests`: a framework; `RowsTests` or `BatchesTests` if it has only rows, or only batches.
* `faulty_server`: an HTTP server for a folder, with faults for chosen requests.
* `SCENARIOS`, `play`: everything that can go wrong with a download, by name, for a downloader.

This package needs pytest, and trustme for scenarios with TLS; both are in `dshub[test]`.
"""

from dshub.testing.adapters import AdapterTests, BatchesTests, RowsTests
from dshub.testing.answers import Fault
from dshub.testing.archives import ArchiveTests
from dshub.testing.readers import ReaderTests
from dshub.testing.scenarios import SCENARIOS
from dshub.testing.server import FaultyServer, faulty_server
from dshub.testing.stage import Scenario, Stage, play, write_files
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
