"""Sounds: class folders, Common Voice, ESC-50, files of ffmpeg.

73. class folders of WAV files (Speech Commands)
74. WAV files of ffmpeg, written to a pipe
75. ESC-50: audio/ and meta/esc50.csv
76. Common Voice: clips and TSV tables of the splits
77. several rates and numbers of channels
78. a WAV file that is cut
"""

from tests.end_to_end.practitioners.case import Case, Sound, from_
from tests.end_to_end.practitioners.files import both, text, tree, wav

CASES = [
    Case(
        "class folders of WAV files (Speech Commands)",
        tree({"no/1.wav": wav(100), "yes/1.wav": wav(120), "_background_noise_/hum.wav": wav(300)}),
        {
            "train": {
                "audio": [Sound(300), Sound(100), Sound(120)],
                "label": ["_background_noise_", "no", "yes"],
            }
        },
        opened=from_.from_folder,
    ),
    Case(
        "WAV files of ffmpeg, written to a pipe",
        tree({"a/1.wav": wav(64, ffmpeg=True), "b/1.wav": wav(32, ffmpeg=True)}),
        {"train": {"audio": [Sound(64), Sound(32)], "label": ["a", "b"]}},
        opened=from_.from_folder,
    ),
    Case(
        "ESC-50: audio/ and meta/esc50.csv",
        both(
            tree({"audio/1-100032-A-0.wav": wav(50), "audio/1-100038-A-14.wav": wav(60)}),
            text(
                "meta/esc50.csv",
                "filename,fold,target,category",
                "1-100032-A-0.wav,1,0,dog",
                "1-100038-A-14.wav,2,14,birds",
            ),
        ),
        {
            "train": {
                "audio": [Sound(50), Sound(60)],
                "fold": [1, 2],
                "target": [0, 14],
                "category": ["dog", "birds"],
            }
        },
        opened=from_.from_folder,
    ),
    Case(
        "Common Voice: clips and TSV tables of the splits",
        both(
            tree({"clips/a.wav": wav(50), "clips/b.wav": wav(60)}),
            text("train.tsv", "path\tsentence\tage", 'a.wav\tHe said "hi\t'),
            text("test.tsv", "path\tsentence\tage", "b.wav\tBye\ttwenties"),
        ),
        {
            "train": {"audio": [Sound(50)], "sentence": ['He said "hi'], "age": [""]},
            "test": {"audio": [Sound(60)], "sentence": ["Bye"], "age": ["twenties"]},
        },
        opened=lambda folder: {n: from_.from_folder(folder, n) for n in ("train", "test")},
    ),
    Case(
        "several rates and numbers of channels",
        tree({"x/1.wav": wav(50, 8000), "x/2.wav": wav(60, 16000), "y/1.wav": wav(70, 44100, 2)}),
        {
            "train": {
                "audio": [Sound(50), Sound(60), Sound(70, 2)],
                "label": ["x", "x", "y"],
            }
        },
        opened=from_.from_folder,
        asks="rate",
    ),
    Case(
        "a WAV file that is cut",
        tree({"x/1.wav": wav(500)[:600], "y/1.wav": wav(70)}),
        refused="x/1.wav",
    ),
]
