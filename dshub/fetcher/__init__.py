"""Files from wherever they can be had, into the store, verified.

`Fetcher.sort` says what is missing; `Fetcher.fetch` gets it: several files at once, each from
its mirrors first and then from its own sources in order, going on where an earlier try stopped.
`import_files` takes files that a person already has. Whatever the way, a file enters the store
only when its size and checksum are the published ones.
"""

from dshub.fetcher.fetch import Fetched, Fetcher
from dshub.fetcher.importing import Imported, Unlike, import_files, look
from dshub.fetcher.keeping import Keep
from dshub.fetcher.sources import Job, jobs, sources

__all__ = [
    "Fetched",
    "Fetcher",
    "Imported",
    "Job",
    "Keep",
    "Unlike",
    "import_files",
    "jobs",
    "look",
    "sources",
]
