"""Export datasets for other programs: one file per format, with an `exporter` that writes it.

An exporter writes one shard at a time, from rows that come in blocks, so memory does not grow with
the split. `export` divides splits into shards, gives each its final name when it is complete, and
records it, so that a later call resumes. The same rows give the same bytes, for one version of
Pillow and Arrow.

A new format is a new file here, named like the value of `--to`. Third-party packages add theirs
through entry points of the group `dshub.export`.
"""

from dshub.export._rows import Exporter, Rows, refuse
from dshub.export._running import Exported, Written, export

__all__ = ["Exported", "Exporter", "Rows", "Written", "export", "refuse"]
