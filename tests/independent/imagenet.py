"""Build a small ImageNet-1k: the built-in manifest with a few images, in every layout.

Only the standard library, Pillow and Arrow write the layouts.
"""

import gzip
import hashlib
import io
import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dshub import Hub, Registry, Settings
from dshub.catalog.features import LabelFeature
from dshub.catalog.sources import built_in_root
from dshub.progress import Progress, Silent
from tests.independent.packed import tarred

NAME = "small-imagenet"


def jpeg() -> bytes:
    """Encode an image of four pixels."""
    sink = io.BytesIO()
    Image.new("RGB", (2, 2), (200, 30, 60)).save(sink, "JPEG")
    return sink.getvalue()


JPEG = jpeg()


def numbered_jpeg(number: int) -> bytes:
    """Return a unique image: bytes after the end of a JPEG are valid and distinguish it."""
    return JPEG + struct.pack(">I", number) + bytes(number % 7)


@dataclass(frozen=True)
class World:
    """Images of both splits, and the folder of their registry.

    Attributes:
        codes: class codes in the order of the manifest.
        train: class, name and bytes of each training image, in order.
        val: class and bytes of each validation image; numbers start at 1.
        ids: number of each class in the devkit.
        folder: folder with `registry`.
    """

    codes: tuple[str, ...]
    train: list[tuple[str, str, bytes]]
    val: list[tuple[str, bytes]]
    ids: dict[str, str]
    folder: Path

    def truth(self, split: str) -> list[tuple[int, bytes]]:
        """Return the class number and the bytes of each image."""
        numbers = {code: i for i, code in enumerate(self.codes)}
        if split == "train":
            return [(numbers[code], data) for code, _, data in self.train]
        return [(numbers[code], data) for code, data in self.val]

    def official(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        inner: dict[str, list[tuple[str, bytes]]] = {}
        for code, name, data in self.train:
            inner.setdefault(f"{code}.tar", []).append((name, data))
        tars = [(name, tar(members)) for name, members in inner.items()]
        (folder / "ILSVRC2012_img_train.tar").write_bytes(tar(tars))
        images = [(val_name(i), data) for i, (_, data) in enumerate(self.val, 1)]
        (folder / "ILSVRC2012_img_val.tar").write_bytes(tar(images))
        self.devkit(folder)
        return folder

    def devkit(self, folder: Path) -> Path:
        lines = "".join(f"{self.ids[code]}\n" for code, _ in self.val).encode()
        name = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
        path = folder / "ILSVRC2012_devkit_t12.tar.gz"
        path.write_bytes(tar([(name, lines)], "w:gz"))
        return path

    def folders(self, folder: Path) -> Path:
        """Write a folder for each class, in both splits."""
        self.train_folders(folder)
        for i, (code, data) in enumerate(self.val, 1):
            write(folder / "val" / code / val_name(i), data)
        return folder

    def train_folders(self, folder: Path) -> None:
        for code, name, data in self.train:
            write(folder / "train" / code / name, data)

    def flat(self, folder: Path) -> Path:
        """Write a folder for each training class, one for all validation images, and the devkit."""
        self.train_folders(folder)
        for i, (_, data) in enumerate(self.val, 1):
            write(folder / "val" / val_name(i), data)
        self.devkit(folder)
        return folder

    def kaggle(self, folder: Path) -> Path:
        inside = folder / "ILSVRC" / "Data" / "CLS-LOC"
        self.train_folders(inside)
        lines = ["ImageId,PredictionString"]
        for i, (code, data) in enumerate(self.val, 1):
            write(inside / "val" / val_name(i), data)
            more = f" {code} 0 0 9 9 " if i % 2 else " "  # an image can have several boxes
            lines.append(f"{val_name(i)[:-5]},{code} 1 2 3 4{more}")
        write(inside / "test" / "ILSVRC2012_test_00000001.JPEG", numbered_jpeg(1))
        (folder / "LOC_val_solution.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
        (folder / "LOC_synset_mapping.txt").write_text("n01440764 tench, Tinca tinca\n")
        return folder

    def kaggle_zip(self, folder: Path) -> Path:
        tree = self.kaggle(folder / "unpacked")
        path = folder / "imagenet-object-localization-challenge.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(tree.rglob("*")):
                archive.write(file, file.relative_to(tree))
        return path

    def parquet(self, folder: Path) -> Path:
        """Write two Parquet files per split, as on Hugging Face."""
        folder.mkdir(parents=True, exist_ok=True)
        for split in ("train", "validation"):
            rows = self.truth(split)
            half = len(rows) // 2
            for i, part in enumerate((rows[:half], rows[half:])):
                image = [{"bytes": data, "path": "n0_1.JPEG"} for _, data in part]
                table = pa.table({"image": image, "label": [label for label, _ in part]})
                pq.write_table(table, folder / f"{split}-{i:05d}-of-00002.parquet")
        return folder

    def archives(self, folder: Path) -> Path:
        """Write the older Hugging Face archives, with file names that end in the class code."""
        folder.mkdir(parents=True, exist_ok=True)
        members = [(f"{name[:-5]}_{code}.JPEG", data) for code, name, data in self.train]
        step = -(-len(members) // 5)
        for i in range(5):
            shard = members[i * step : (i + 1) * step]
            (folder / f"train_images_{i}.tar.gz").write_bytes(tar(shard, "w:gz"))
        val = [(f"{val_name(i)[:-5]}_{code}.JPEG", d) for i, (code, d) in enumerate(self.val, 1)]
        (folder / "val_images.tar.gz").write_bytes(tar(val, "w:gz"))
        return folder


def val_name(number: int) -> str:
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def tar(members: list[tuple[str, bytes]], mode: str = "w") -> bytes:
    data = tarred(dict(members))
    return gzip.compress(data, mtime=0) if mode == "w:gz" else data  # without a timestamp


def make_world(folder: Path, *, classes: int, each: int, val: int) -> World:
    """Write a registry whose manifest has `classes` classes and matching checksums."""
    manifest = Registry().manifest("imagenet-1k")
    label = manifest.features["label"]
    assert isinstance(label, LabelFeature)
    (values,) = (
        step.values for step in manifest.splits["validation"].steps if hasattr(step, "values")
    )
    assert isinstance(values, dict)
    numbers = iter(range(10**6))
    train = [
        (code, f"{code}_{i}.JPEG", numbered_jpeg(next(numbers)))
        for code in label.codes[:classes]
        for i in range(each)
    ]
    shuffled = [label.codes[7 * i % classes] for i in range(val)]
    world = World(
        codes=label.codes,
        train=train,
        val=[(code, numbered_jpeg(next(numbers))) for code in shuffled],
        ids={code: number for number, code in values.items()},
        folder=folder,
    )
    _write_manifest(world, folder)
    return world


def _write_manifest(world: World, folder: Path) -> None:
    text = (built_in_root() / "imagenet-1k" / "1.0.0.toml").read_text("utf-8")
    text = text.replace('name = "imagenet-1k"', f'name = "{NAME}"')
    text = text.replace("rows = 1281167", f"rows = {len(world.train)}")
    text = text.replace("rows = 50000", f"rows = {len(world.val)}")
    for build in (world.official, world.archives):
        for path in sorted(build(folder / "published").iterdir()):
            text = with_facts(text, path)
    target = folder / "registry" / NAME / "1.0.0.toml"
    write(target, text.encode())


def with_facts(text: str, path: Path) -> str:
    """Update the size and checksum of a file in the text of a manifest."""
    data = path.read_bytes()

    def facts(block: re.Match[str]) -> str:
        entry = re.sub(r"^sha256 = .*$", f'sha256 = "{sha256(data)}"', block[0], flags=re.MULTILINE)
        entry = re.sub(r"^md5 = .*\n", "", entry, flags=re.MULTILINE)
        return re.sub(r"^size = .*$", f"size = {len(data)}", entry, flags=re.MULTILINE)

    name = re.escape(path.name)
    block = rf'^filename = "{name}"\n(?:[a-z0-9_]+ = .*\n)+'
    changed, count = re.subn(block, facts, text, flags=re.MULTILINE)
    assert count, path.name
    return changed


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_states(folder: Path) -> dict[str, tuple[int, str]]:
    """Return the modification time and checksum of every file below a folder."""
    return {
        str(path): (path.stat().st_mtime_ns, sha256(path.read_bytes()))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(hub: Hub, split: str) -> list[tuple[int, bytes]]:
    """Load a split and return the class and the encoded image of each row."""
    rows = hub.load(NAME, split).decode(False)
    return [(int(row["label"]), bytes(row["image"])) for row in rows]


def hub_of(world: World, cache: Path, progress: Progress | None = None) -> Hub:
    """Return an offline hub with the registry of the small ImageNet."""
    settings = Settings.read(cache=cache, registry=(world.folder / "registry",), offline=True)
    return Hub(settings=settings, progress=progress or Silent())
