"""What a mirror holds: its `index.json`, and a client's way from there to manifests and tables.

::

    <mirror>/
      index.json                       what is here, one dataset a line
      blobs-v1/<aa>/<sha256>           upstream files, and manifests, by checksum
      registry/<name>/<version>.toml   the same manifests under their names, for people and for
                                       DSHUB_REGISTRY
      tables-v1/<name>/<recipe key>/   prepared tables, where the mirror has them

`index.json` is an object with `schema` (1), `sha256` (of the bytes of the value of `datasets`, as
they stand), `serial` and `date` where it is signed, `signatures` (a list, see
`dshub.index.signing`) and `datasets` (see `Entry`), in that order. It is written last, by rename.
Manifests are read by their checksum, never by their name, so that an old index and a new one are
both whole while a mirror changes.
"""

from dshub.index.mirrors import Listed, Mirrors, is_folder, to_folder
from dshub.index.model import BlobFacts, Entry, Index, TableFacts, entry_of, table_facts
from dshub.index.registry import MirrorRegistry, Prefer
from dshub.index.signing import Signer, check_signature

__all__ = [
    "BlobFacts",
    "Entry",
    "Index",
    "Listed",
    "MirrorRegistry",
    "Mirrors",
    "Prefer",
    "Signer",
    "TableFacts",
    "check_signature",
    "entry_of",
    "is_folder",
    "table_facts",
    "to_folder",
]
