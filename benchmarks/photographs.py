"""Write JPEG files made from photographs that installed packages ship.

scikit-learn ships two photographs, and scikit-image several more. Each file is a random window of
one of them with a little grain, so that it is as large as files of cameras: 74 KB for 500x375
pixels at quality 90.
"""

import importlib.util
import io
from pathlib import Path

import numpy as np
from PIL import Image

SOURCES = {
    "sklearn": ["datasets/images/china.jpg", "datasets/images/flower.jpg"],
    "skimage": [
        "data/astronaut.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/hubble_deep_field.jpg",
        "data/ihc.png",
        "data/motorcycle_left.png",
        "data/retina.jpg",
        "data/rocket.jpg",
    ],
}
GRAIN = 8.5 / 375  # standard deviation of the noise, per pixel of the height
QUALITY = 90


def photographs() -> list[Image.Image]:
    """Return the photographs of the installed packages, as RGB."""
    found = []
    for package, files in SOURCES.items():
        spec = importlib.util.find_spec(package)
        folder = Path(spec.origin).parent if spec and spec.origin else None
        paths = [folder / file for file in files] if folder else []
        found += [Image.open(path).convert("RGB") for path in paths if path.exists()]
    return found


class Photographs:
    """Random windows of photographs, in a reproducible order.

    Args:
        seed: seed of the windows.
        share: smallest and largest share of a photograph's size.
    """

    def __init__(self, seed: int = 0, share: tuple[float, float] = (0.6, 1)) -> None:
        self.sources, self._share = photographs(), share
        if not self.sources:
            raise SystemExit("install scikit-learn or scikit-image, which ship photographs")
        self._draw = np.random.default_rng(seed)

    def window(self, width: int, height: int, number: int | None = None) -> Image.Image:
        """Return a window with grain.

        Args:
            width, height: size of the window.
            number: number of the photograph; random if None.
        """
        draw = self._draw
        number = int(draw.integers(len(self.sources))) if number is None else number
        source = self.sources[number % len(self.sources)]
        share = min(source.width / width, source.height / height) * draw.uniform(*self._share)
        across, down = share * width, share * height
        left, top = draw.uniform(0, source.width - across), draw.uniform(0, source.height - down)
        box = (left, top, left + across, top + down)
        pixels = np.asarray(source.resize((width, height), Image.Resampling.BICUBIC, box=box))
        noise = draw.normal(0, GRAIN * min(width, height), pixels.shape).astype(np.float32)
        return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))

    def file(self, width: int, height: int, number: int | None = None) -> bytes:
        """Return a window as a JPEG file."""
        stream = io.BytesIO()
        self.window(width, height, number).save(stream, "JPEG", quality=QUALITY)
        return stream.getvalue()

    def write(self, folder: Path, count: int, side: int | None = None) -> None:
        """Write `count` files into class folders, as in ImageNet.

        Args:
            folder: output folder, with a folder for each of up to 10 classes.
            count: number of files.
            side: length of the shorter side; by default, sizes are near 500x375.
        """
        for number in range(count):
            long, short = map(int, self._draw.integers((470, 350), (531, 401)))
            if side is not None:
                long, short = round(side * long / short), side
            width, height = (short, long) if number % 4 == 3 else (long, short)
            place = folder / f"class-{number % 10}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:05d}.jpg").write_bytes(self.file(width, height))
