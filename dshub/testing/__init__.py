"""Test plug-ins with conformance suites, and downloads with a faulty HTTP server.

Subclass a suite in your tests, and implement its abstract methods to create the plug-in. pytest
then runs every test of the suite. dshub tests its own plug-ins in the same way.

* `ReaderTests`: tests for a file format.
* `ArchiveTests`: tests for an archive kind.
* `TransportTests`: tests for a URL scheme.
* `AdapterTests`: tests for a framework; use `RowsTests` or `BatchesTests` for an adapter with only
  rows or only batches.
* `faulty_server`: HTTP server for a folder, with faults for selected requests.

This package needs pytest, which the extra `dshub[test]` installs.
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
