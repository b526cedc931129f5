"""Write files in the formats of users' own data, without dshub."""

import struct
import wave
from pathlib import Path

import numpy as np
from PIL import Image


def write_image(path: Path, seed: int, size: tuple[int, int] = (9, 8), mode: str = "RGB") -> None:
    """Write an image of random noise; `size` is width and height."""
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    noise = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).save(path)


def write_audio(path: Path, seed: int, rate: int = 16000, channels: int = 1) -> None:
    """Write a WAV file with 100 random 16-bit samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.random.default_rng(seed).bytes(200 * channels))


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write an array as an IDX file of bytes."""
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text without converting line ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode())
