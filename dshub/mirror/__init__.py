"""A mirror: a plain folder or bucket, and any web server in front of it.

It holds upstream files by checksum, manifests, and an `index.json` that lists its datasets;
`dshub.index` says what is where. `choose` says which datasets, `Mirroring` writes one or brings
it up to date, `verify` reads it again. `serving` is a small read-only server for one machine, a
class or a test. The address of a file follows from its checksum, so a cache can be served as it
is, too.
"""

from dshub.mirror.checking import Checked, needed, read_index, verify
from dshub.mirror.opening import open_place
from dshub.mirror.places import Place
from dshub.mirror.selection import Chosen, LeftOut, choose, denied
from dshub.mirror.serving import serving
from dshub.mirror.writing import Mirroring, Options, Piece, Plan, Report, prune

__all__ = [
    "Checked",
    "Chosen",
    "LeftOut",
    "Mirroring",
    "Options",
    "Piece",
    "Place",
    "Plan",
    "Report",
    "choose",
    "denied",
    "needed",
    "open_place",
    "prune",
    "read_index",
    "serving",
    "verify",
]
