"""Find the feature of the audio files of a folder, in the headers of a sample."""

import logging
from collections.abc import Sequence
from pathlib import Path

from dshub.catalog.features import AudioFeature
from dshub.datasets.audio import probe_beginning
from dshub.datasets.depths import evenly

SAMPLE = 100  # files whose headers are read
_HEAD = 1 << 16  # bytes of a file that have its header


def audio_feature(root: Path, files: Sequence[str], first: AudioFeature) -> AudioFeature:
    """Return the feature that fits audio files; a rate or number of channels that differs is 0.

    A log message names what differs.

    Args:
        root: folder of the files.
        files: paths of the files below the folder.
        first: feature of the first file.
    """
    found = {first: files[0]}
    for file in evenly(files, SAMPLE):
        if (feature := _probe(root / file)) is not None:
            found.setdefault(feature, file)
    endings = {file.rpartition(".")[2].lower() for file in files}
    same_encoding = len(endings) == 1 and len({feature.encoding for feature in found}) == 1
    same_format = len({(feature.rate, feature.channels) for feature in found}) == 1
    if not same_format:
        examples = "; ".join(
            f"{file} has {feature.rate:,} Hz and {feature.channels} channels"
            for feature, file in list(found.items())[:3]
        )
        logging.getLogger("dshub").warning("%s: each row keeps its rate: %s", root, examples)
    return AudioFeature(
        rate=first.rate if len({feature.rate for feature in found}) == 1 else 0,
        channels=first.channels if len({feature.channels for feature in found}) == 1 else 0,
        encoding=first.encoding if same_encoding else "any",
    )


def _probe(path: Path) -> AudioFeature | None:
    try:
        with path.open("rb") as file:
            return probe_beginning(file.read(_HEAD))
    except OSError:  # reported when the file is read
        return None
