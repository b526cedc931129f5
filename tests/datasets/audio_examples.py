"""Encode audio in every format with soundfile, which the caller must have installed."""

import io
from typing import Any

import numpy as np

TONE = (9000 * np.sin(np.arange(24_000) * 0.1)).astype(np.int16)
FORMS = {
    "wav": ("WAV", "PCM_16"),
    "wav-extensible": ("WAVEX", "PCM_16"),
    "wav-rf64": ("RF64", "PCM_16"),
    "wav-float": ("WAV", "FLOAT"),
    "aiff": ("AIFF", "PCM_16"),
    "aiff-float": ("AIFF", "FLOAT"),
    "ogg-vorbis": ("OGG", "VORBIS"),
    "ogg-opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "flac": ("FLAC", "PCM_16"),
}


def encode(form: str, rate: int = 24_000, samples: Any = TONE) -> bytes:
    import soundfile

    sink, (container, subtype) = io.BytesIO(), FORMS[form]
    soundfile.write(sink, samples, rate, format=container, subtype=subtype)
    return sink.getvalue()
