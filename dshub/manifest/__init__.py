"""What a dataset is: a value read from one TOML file, and nothing that could be run.

A `Manifest` names *resources* (files as upstream publishes them, with checksums), *features*
(the columns: kind, shape, dtype, class names) and *splits* (which reader makes rows out of which
files). It can choose among dshub's reviewed readers; it can name no module, no command and no
path outside its own files.

`parse` reads one and reports every fault with its place. All values here are frozen.
"""

from dshub.manifest.checks import check
from dshub.manifest.faults import Fault
from dshub.manifest.model import (
    CHUNK,
    Citation,
    Feature,
    ImageFeature,
    LabelFeature,
    License,
    Limits,
    Manifest,
    NumberFeature,
    Resource,
    Split,
    TextFeature,
)
from dshub.manifest.parse import from_json, parse, read, to_json

__all__ = [
    "CHUNK",
    "Citation",
    "Fault",
    "Feature",
    "ImageFeature",
    "LabelFeature",
    "License",
    "Limits",
    "Manifest",
    "NumberFeature",
    "Resource",
    "Split",
    "TextFeature",
    "check",
    "from_json",
    "parse",
    "read",
    "to_json",
]
