"""Croissant, the JSON-LD in which catalogues describe datasets: out of a manifest, and into one.

Versions 1.0 (http://mlcommons.org/croissant/1.0) and 1.1 (http://mlcommons.org/croissant/1.1).

`to_croissant` says in Croissant's own terms what they can say: files with their checksums, members
of archives, columns with their types, classes, splits, licence, citation. Where Croissant has a way
to get at a format's values (columns of tables, contents of files), a field says it, and other
programs can load the rows; where it has none (IDX, CIFAR's records), a field has no source rather
than a wrong one. What is left (further addresses, reader, steps, number of rows) stands beside it
under terms of our own, `dshub:…`, which other programs pass over.

`from_croissant` reads such a document, ours or another's, and lists what it could not understand.
"""

from dshub.manifest.croissant.exporting import to_croissant
from dshub.manifest.croissant.importing import Imported, from_croissant, read_croissant
from dshub.manifest.croissant.notes import Note
from dshub.manifest.croissant.vocabulary import VERSIONS

__all__ = [
    "VERSIONS",
    "Imported",
    "Note",
    "from_croissant",
    "read_croissant",
    "to_croissant",
]
