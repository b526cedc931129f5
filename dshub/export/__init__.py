"""Export datasets for other programs, with one module per format that defines an `exporter`.

An exporter writes one shard at a time from blocks of rows, so memory does not grow with the split.
`export` divides splits into shards, renames each shard when it is complete, and records it, so that
a later call resumes. The same rows give the same bytes with the same versions of Pillow and Arrow.

To support another format, add a module named like the value of `--to`. Third-party packages add
formats through entry points in the group `dshub.export`.
"""

from dshub.export._rows import Exporter, Rows, refuse
from dshub.export._running import Exported, Written, export

__all__ = ["Exported", "Exporter", "Rows", "Written", "export", "refuse"]
