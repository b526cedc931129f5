"""Files of every kind, as other programs write them, for comparisons of decoders."""

import io
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 45, 62


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    sink = io.BytesIO()
    image.copy().save(sink, form, **options)  # saving leaves options of the format in an image
    return sink.getvalue()


def smooth(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return pixels with colors, edges and noise, as a photograph has."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 7 + i) * np.cos(y / (5 + i)) * 100 + 128 for i in range(3)]
    pixels = np.stack(waves, -1) + rng.normal(0, 9, (height, width, 3))
    pixels[height // 4 : height // 2, width // 3 : width // 2] = (250, 5, 30)
    return pixels.clip(0, 255).astype(np.uint8)


def files() -> dict[str, bytes]:
    """Return files by description."""
    color = Image.fromarray(smooth())
    gray, palette = color.convert("L"), color.quantize(200)
    alpha = color.copy()
    alpha.putalpha(gray)
    sixteen = Image.fromarray((np.asarray(gray).astype(np.uint16) << 8) + 77)
    found = {
        "jpeg": encode(color, "JPEG", quality=90),
        "jpeg 4:4:4": encode(color, "JPEG", quality=95, subsampling=0),
        "jpeg 4:2:2": encode(color, "JPEG", quality=85, subsampling=1),
        "jpeg progressive": encode(color, "JPEG", progressive=True),
        "jpeg optimized": encode(color, "JPEG", optimize=True),
        "jpeg gray": encode(gray, "JPEG"),
        "jpeg gray progressive": encode(gray, "JPEG", progressive=True),
        "jpeg cmyk": encode(color.convert("CMYK"), "JPEG"),
        "jpeg rgb": encode(color, "JPEG", keep_rgb=True),
        "jpeg restart": encode(color, "JPEG", restart_marker_blocks=2),
        "jpeg comment": encode(color, "JPEG", comment=b"x" * 3000),
        "jpeg profile": encode(color, "JPEG", icc_profile=b"p" * 70_000),
        "jpeg padded": encode(color, "JPEG") + bytes(20),
        "jpeg trailer": encode(color, "JPEG") + b"x" * 500,
        "jpeg fill": encode(color, "JPEG").replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1),
        "jpeg exif damaged": encode(color, "JPEG", exif=b"Exif\0\0nonsense" * 3),
        "jpeg one pixel": encode(color.crop((0, 0, 1, 1)), "JPEG"),
        "jpeg narrow": encode(color.crop((0, 0, 3, 40)), "JPEG"),
        "png": encode(color, "PNG"),
        "png gray": encode(gray, "PNG"),
        "png palette": encode(palette, "PNG"),
        "png palette alpha": encode(palette, "PNG", transparency=bytes([0, 100, 200])),
        "png color key": encode(color, "PNG", transparency=(250, 5, 30)),
        "png alpha": encode(alpha, "PNG"),
        "png gray alpha": encode(alpha.convert("LA"), "PNG"),
        "png 16": encode(sixteen, "PNG"),
        "png one bit": encode(color.convert("1"), "PNG"),
        "webp": encode(color, "WEBP", quality=90),
        "webp lossless": encode(color, "WEBP", lossless=True),
        "webp alpha": encode(alpha, "WEBP", lossless=True),
        "gif": encode(color, "GIF"),
        "gif animated": encode(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]),
        "bmp": encode(color, "BMP"),
        "tiff": encode(color, "TIFF"),
        "tiff 16": encode(sixteen, "TIFF"),
        "tiff pages": encode(color, "TIFF", save_all=True, append_images=[gray]),
        "ppm": encode(color, "PPM"),
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for form in ("JPEG", "PNG", "WEBP"):
            found[f"{form.lower()} orientation {orientation}"] = encode(color, form, exif=exif)
    return found


FILES = files()
