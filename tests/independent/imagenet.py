"""ImageNet-1k on a small scale: the built-in manifest with few images, in every layout.

The layouts are written with the standard library and Arrow alone.
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
    """An image of four pixels."""
    sink = io.BytesIO()
    Image.new("RGB", (2, 2), (200, 30, 60)).save(sink, "JPEG")
    return sink.getvalue()


PICTURE = jpeg()


def picture(number: int) -> bytes:
    """One that is like no other: a few bytes follow its end, as they do in many a JPEG."""
    return PICTURE + struct.pack(">I", number) + bytes(number % 7)


@dataclass(frozen=True)
class World:
    """The images of both splits, their manifest, and a hub that has it.

    Attributes:
        train: class, name and bytes of each image, in order.
        val: class and bytes of each image; the first has number 1.
    """

    codes: tuple[str, ...]
    train: list[tuple[str, str, bytes]]
    val: list[tuple[str, bytes]]
    ids: dict[str, str]
    folder: Path

    def truth(self, split: str) -> list[tuple[int, bytes]]:
        """The rows: number of the class, and the file."""
        known = {code: i for i, code in enumerate(self.codes)}
        if split == "train":
            return [(known[code], data) for code, _, data in self.train]
        return [(known[code], data) for code, data in self.val]

    def official(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        inner: dict[str, list[tuple[str, bytes]]] = {}
        for code, name, data in self.train:
            inner.setdefault(f"{code}.tar", []).append((name, data))
        tars = [(name, tar(members)) for name, members in inner.items()]
        (folder / "ILSVRC2012_img_train.tar").write_bytes(tar(tars))
        pictures = [(val_name(i), data) for i, (_, data) in enumerate(self.val, 1)]
        (folder / "ILSVRC2012_img_val.tar").write_bytes(tar(pictures))
        self.devkit(folder)
        return folder

    def devkit(self, folder: Path) -> Path:
        lines = "".join(f"{self.ids[code]}\n" for code, _ in self.val).encode()
        name = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
        path = folder / "ILSVRC2012_devkit_t12.tar.gz"
        path.write_bytes(tar([(name, lines)], "w:gz"))
        return path

    def folders(self, folder: Path) -> Path:
        """A folder for each class, in both splits."""
        self.train_folders(folder)
        for i, (code, data) in enumerate(self.val, 1):
            write(folder / "val" / code / val_name(i), data)
        return folder

    def train_folders(self, folder: Path) -> None:
        for code, name, data in self.train:
            write(folder / "train" / code / name, data)

    def flat(self, folder: Path) -> Path:
        """A folder for each class, and one for all of the validation set; the devkit beside it."""
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
            more = f" {code} 0 0 9 9 " if i % 2 else " "  # several boxes
            lines.append(f"{val_name(i)[:-5]},{code} 1 2 3 4{more}")
        write(inside / "test" / "ILSVRC2012_test_00000001.JPEG", picture(1))
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
        """Two files for a split, as Hugging Face has them."""
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
        """The older archives of Hugging Face: names that end in the class."""
        folder.mkdir(parents=True, exist_ok=True)
        members = [(f"{name[:-5]}_{code}.JPEG", data) for code, name, data in self.train]
        step = -(-len(members) // 5)
        for i in range(5):
            some = members[i * step : (i + 1) * step]
            (folder / f"train_images_{i}.tar.gz").write_bytes(tar(some, "w:gz"))
        val = [(f"{val_name(i)[:-5]}_{code}.JPEG", d) for i, (code, d) in enumerate(self.val, 1)]
        (folder / "val_images.tar.gz").write_bytes(tar(val, "w:gz"))
        return folder


def val_name(number: int) -> str:
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def tar(members: list[tuple[str, bytes]], mode: str = "w") -> bytes:
    made = tarred(dict(members))
    return gzip.compress(made, mtime=0) if mode == "w:gz" else made  # always the same bytes


def make_world(folder: Path, *, classes: int, each: int, val: int) -> World:
    """Write images of the first classes, and a registry with a manifest for exactly those."""
    manifest = Registry().manifest("imagenet-1k")
    label = manifest.features["label"]
    assert isinstance(label, LabelFeature)
    (values,) = (
        step.values for step in manifest.splits["validation"].steps if hasattr(step, "values")
    )
    assert isinstance(values, dict)
    numbers = iter(range(10**6))
    train = [
        (code, f"{code}_{i}.JPEG", picture(next(numbers)))
        for code in label.codes[:classes]
        for i in range(each)
    ]
    shuffled = [label.codes[7 * i % classes] for i in range(val)]
    world = World(
        codes=label.codes,
        train=train,
        val=[(code, picture(next(numbers))) for code in shuffled],
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
        found = re.sub(r"^sha256 = .*$", f'sha256 = "{sha256(data)}"', block[0], flags=re.MULTILINE)
        found = re.sub(r"^md5 = .*\n", "", found, flags=re.MULTILINE)
        return re.sub(r"^size = .*$", f"size = {len(data)}", found, flags=re.MULTILINE)

    name = re.escape(path.name)
    block = rf'^filename = "{name}"\n(?:[a-z0-9_]+ = .*\n)+'
    changed, count = re.subn(block, facts, text, flags=re.MULTILINE)
    assert count, path.name
    return changed


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def everything(folder: Path) -> dict[str, tuple[int, str]]:
    """Time of change and checksum of every file below a folder."""
    return {
        str(path): (path.stat().st_mtime_ns, sha256(path.read_bytes()))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(hub: Hub, split: str) -> list[tuple[int, bytes]]:
    """What `load` gives: class, and the file as it was."""
    found = hub.load(NAME, split).decode(False)
    return [(int(row["label"]), bytes(row["image"])) for row in found]


def hub_of(world: World, cache: Path, progress: Progress | None = None) -> Hub:
    """A hub that knows the small ImageNet and no network."""
    settings = Settings.read(cache=cache, registry=(world.folder / "registry",), offline=True)
    return Hub(settings=settings, progress=progress or Silent())
