"""Datasets in other forms than upstream's: folders and archives that people have.

A manifest's layouts say which forms there are. Those whose files have checksums are found like any
other file. The others are known by their structure: `recognise` looks for them below some paths,
`assessment` says what is missing, and `ImportRecord` keeps in the cache where they are. Nothing is
copied: a split is prepared from where its files lie, which are hashed as they are read.
"""

from dshub.layouts.holding import Holding, LocalFile, LocalFiles
from dshub.layouts.importing import ImportReport, Recognised, import_dataset
from dshub.layouts.places import Listed, Place, open_place
from dshub.layouts.recognition import recognise
from dshub.layouts.records import ImportRecord, check, forget, imports, keep, opened
from dshub.layouts.sums import Sums

__all__ = [
    "Holding",
    "ImportRecord",
    "ImportReport",
    "Listed",
    "LocalFile",
    "LocalFiles",
    "Place",
    "Recognised",
    "Sums",
    "check",
    "forget",
    "import_dataset",
    "imports",
    "keep",
    "open_place",
    "opened",
    "recognise",
]
