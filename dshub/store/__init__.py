"""What is kept on disk, and the one rule that makes it safe: publish by rename.

::

    <cache>/
      CACHEDIR.TAG                      tells backup programs to pass by
      blobs-v1/<aa>/<sha256>            verified upstream files, named by checksum
      blobs-v1/md5-<aa>/<md5>           the few that upstream names by MD5 only
      partial-v1/<checksum>/            an unfinished download and its journal; its lock beside it
      tables-v1/<name>/<recipe key>/    <split>-00000-of-00001.arrow …, table.json
      synthetic-v1/<name>/<key>.json    manifest of a synthetic stand-in
      references-v1/<aa>/<sha256>.json  where an imported file lies that stays outside
      imports-v1/<name>/<layout>.json   where a dataset lies that was imported in another layout
      pins-v1/<name>.pin                says that a dataset is to stay
      terms-v1/<name>.accepted          says which of its terms were accepted
      mirrors-v1/<key>.json             the index of a mirror, for when it cannot be reached
      mirrors-v1/<sha256>.toml          a manifest that came from a mirror

A name under `blobs-v1`, `tables-v1` or `synthetic-v1` exists only when its content is complete
and verified, and is never modified afterwards. Locks only save work. Reading never writes, so a
read-only cache works; further read-only layers are searched after the first one.

A mirror is a folder with the same `blobs-v1` tree, so a cache can be served as it is.
"""

from dshub.store.entries import Leftover, leftover
from dshub.store.journal import Origin
from dshub.store.layout import (
    blob_path,
    import_path,
    manifest_path,
    mirror_path,
    partial_path,
    synthetic_path,
    table_path,
    terms_path,
)
from dshub.store.locks import Waiting
from dshub.store.partials import Partial, Span
from dshub.store.pins import pin, pinned, unpin
from dshub.store.references import Reference
from dshub.store.removal import remove
from dshub.store.store import Store
from dshub.store.usage import Kind, Usage, usage

__all__ = [
    "Kind",
    "Leftover",
    "Origin",
    "Partial",
    "Reference",
    "Span",
    "Store",
    "Usage",
    "Waiting",
    "blob_path",
    "import_path",
    "leftover",
    "manifest_path",
    "mirror_path",
    "partial_path",
    "pin",
    "pinned",
    "remove",
    "synthetic_path",
    "table_path",
    "terms_path",
    "unpin",
    "usage",
]
