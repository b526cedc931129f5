"""What a dataset is: a value read from one TOML file, and nothing that could be run.

A `Manifest` names *resources* (files as upstream publishes them, with checksums), *features*
(the columns: kind, shape, dtype, class names) and *splits* (which reader makes rows out of which
files). It can choose among dshub's reviewed readers; it can name no module, no command and no
path outside its own files.

`parse` reads one and reports every fault with its place. All values here are frozen.
"""

from dshub.manifest.checks import check
from dshub.manifest.faults import Fault
from dshub.manifest.features import (
    AudioFeature,
    Dtype,
    Feature,
    ImageFeature,
    Item,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
    is_encoded,
)
from dshub.manifest.layouts import laid_out
from dshub.manifest.model import (
    CHUNK,
    LOCAL,
    Citation,
    Layout,
    License,
    Limits,
    Manifest,
    Resource,
    Split,
)
from dshub.manifest.parse import from_json, parse, read, to_json
from dshub.manifest.steps import Attach, Cut, Drop, Join, Keep, Map, Match, Number, Rename, Step

__all__ = [
    "CHUNK",
    "LOCAL",
    "Attach",
    "AudioFeature",
    "Citation",
    "Cut",
    "Drop",
    "Dtype",
    "Fault",
    "Feature",
    "ImageFeature",
    "Item",
    "Join",
    "Keep",
    "LabelFeature",
    "Layout",
    "License",
    "Limits",
    "ListFeature",
    "Manifest",
    "Map",
    "Match",
    "Number",
    "NumberFeature",
    "Rename",
    "Resource",
    "Split",
    "Step",
    "TextFeature",
    "check",
    "from_json",
    "is_encoded",
    "laid_out",
    "parse",
    "read",
    "to_json",
]
