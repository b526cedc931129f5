"""Recognize folders of images with annotations in the formats COCO, Pascal VOC and YOLO.

These layouts are common::

    train2017/1.jpg  annotations/instances_train2017.json     COCO
    train/1.jpg  train/_annotations.coco.json                 as Roboflow exports it
    JPEGImages/1.jpg  Annotations/1.xml  ImageSets/Main/…     Pascal VOC
    train/1.jpg  train/1.xml
    images/train/1.jpg  labels/train/1.txt  data.yaml         YOLO
    train/images/1.jpg  train/labels/1.txt
    1.jpg  1.txt  classes.txt
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, cast

import msgspec

from dshub import formats
from dshub.catalog.file_names import Names, parts_of
from dshub.datasets.split_expressions import synonyms
from dshub.errors import DshubError, ReadError
from dshub.formats import File

Files = dict[str, list["Member"]]
"""Files of each part of a reader."""

KINDS = (".json", ".xml", ".txt")  # extensions of annotations
SAMPLE = 20  # files of labels to look into
HEAD = 1 << 16  # bytes to look into
_MOST_JSON = 64  # more JSON files are annotations of single images, in other formats
CLASS_FILES = {
    "classes.txt",
    "obj.names",
    "labels.txt",
    "_darknet.labels",
    "predefined_classes.txt",
}
_COCO = re.compile(rb'\A\s*\{.*?"(images|annotations|categories)"\s*:\s*\[', re.DOTALL)
_FAMILY = ("instances", "person_keypoints", "captions")  # files of the same images
_NAMES = re.compile(r"^names\s*:(.*?)(?=^[A-Za-z_]|\Z)", re.MULTILINE | re.DOTALL)
_POINTS = re.compile(r"^kpt_shape\s*:\s*\[\s*(\d{1,4})\s*,\s*(\d)\s*\]", re.MULTILINE)
_VALUE = (
    r"""(?:(\d{1,5})[ \t]*+:[ \t]*+)?('(?:[^']|'')*'|"[^"]*"|[^\n'"SEPARATOR][^\nSEPARATOR]*)"""
)
_FLOW = re.compile(r"(?:\A|,)\s*+" + _VALUE.replace("SEPARATOR", ","))
_BLOCK = re.compile(r"^[ \t]*+(?:-[ \t]++)?" + _VALUE.replace("SEPARATOR", ""), re.MULTILINE)


@dataclass(frozen=True)
class Member:
    """File with its path below the folder of a dataset, as readers expect files of an archive."""

    file: File
    member: str

    @property
    def name(self) -> str:
        """Name for messages."""
        return self.file.name

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Open the file."""
        return self.file.open()

    def check_size(self, size: int) -> None:
        """Check a size in memory; see `dshub.formats.File`."""
        self.file.check_size(size)


@dataclass
class Layout:
    """Images with annotations.

    Attributes:
        form: `coco`, `voc` or `yolo`, the name of the reader.
        splits: files of each part by split; the only split is `""` if no name states one.
        options: options of the reader.
        names: class names; empty if the annotations have them, or nothing does.
        codes: ids of the classes in the annotations; empty if they are names or numbers.
        has_root: whether the first class is only the parent of the others, as Roboflow adds one.
        notes: notes about skipped files.
    """

    form: str
    splits: dict[str, Files] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    has_root: bool = False
    notes: list[str] = field(default_factory=list)


class Image(msgspec.Struct):
    """Image in a COCO file."""

    file_name: str


class Category(msgspec.Struct):
    """Class of objects in a COCO file."""

    id: int | str
    name: str = ""
    supercategory: str | None = None
    keypoints: list[str] | None = None


class Header(msgspec.Struct):
    """Images and classes of a COCO file, without its annotations."""

    images: list[Image]
    categories: list[Category] = []


def recognize(files: Mapping[str, File], images: Sequence[str]) -> Layout | None:
    """Return the layout of a dataset, or None if no image has annotations in a known format.

    Args:
        files: all files, by path below the folder of the dataset.
        images: paths of the images among them.

    Raises:
        ReadError: a file of annotations is damaged.
        DshubError: several files can be the annotations of a split.
    """
    if not images or not any(name.lower().endswith(KINDS) for name in files):
        return None
    members = {name: Member(file, name) for name, file in files.items()}
    listed = [members[name] for name in images]
    return _coco(members, listed) or _voc(members, listed) or _yolo(members, listed)


def split_of(name: str) -> str:
    """Return the split that the folders or words of a path name, such as `train` for `train2017`.

    The last folder or word with a split counts, and the result is `""` if there is none.
    """
    folders, _, base = name.rpartition("/")
    words = [*(re.split(r"[-_. ]+", base.rpartition(".")[0])), *reversed(folders.split("/"))]
    found = (synonyms(word.rstrip("0123456789")) for word in words if word)
    names = next(filter(None, found), ())
    return "validation" if "val" in names else names[0] if names else ""


def _folder_split(member: Member) -> str:
    folders = member.member.rpartition("/")[0]
    return split_of(f"{folders}/") if folders else ""


def _by_split(images: Sequence[Member]) -> dict[str, list[Member]]:
    splits = defaultdict[str, list[Member]](list)
    for image in images:
        splits[_folder_split(image)].append(image)
    return splits


def _coco(members: Mapping[str, Member], images: Sequence[Member]) -> Layout | None:
    files = [file for name, file in members.items() if name.lower().endswith(".json")]
    if len(files) > _MOST_JSON:
        return None
    headers = {file.member: header for file in files if (header := _header(file)) is not None}
    groups = defaultdict[str, list[Member]](list)
    for name in headers:
        groups[split_of(name)].append(members[name])
    layout, by_split, classes = Layout("coco"), _by_split(images), dict[Any, Category]()
    for split, group in groups.items():
        chosen = _family(group, layout.notes)
        inside = by_split.get(split) or images
        if not _complete(chosen, [headers[file.member] for file in chosen], inside, layout):
            continue
        layout.splits[split] = {"image": list(inside), "annotations": chosen}
        for file in chosen:
            _add_classes(classes, headers[file.member].categories, file)
    if not layout.splits:
        return None
    _name_classes(layout, classes)
    return layout


def _header(file: Member) -> Header | None:
    """Return the images and classes of a COCO file, or None for other files."""
    with file.open() as stream:
        head = stream.read(HEAD)
    if not _COCO.match(head.removeprefix(b"\xef\xbb\xbf")):
        return None
    try:
        with file.open() as stream:
            header = msgspec.json.decode(stream.read(), type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return header if header.images else None


def _family(group: Sequence[Member], notes: list[str]) -> list[Member]:
    """Choose the files of a split: `instances` and others of the same images, or the only one."""
    if len(group) == 1:
        return list(group)
    stems = {file.member: file.member.rpartition("/")[2].lower() for file in group}
    known = [f for prefix in _FAMILY for f in group if stems[f.member].startswith(prefix)]
    if not known:
        names = ", ".join(file.member for file in group)
        raise DshubError(
            f"several files can be the annotations of the same images: {names}",
            hint="keep one of them in the folder, or put the files of each split into a folder",
        )
    skipped = ", ".join(file.member for file in group if file not in known)
    notes += [f"skipped other annotations: {skipped}"] if skipped else []
    return known


def _complete(
    files: Sequence[Member], headers: Sequence[Header], images: Sequence[Member], layout: Layout
) -> bool:
    """Note missing images, and return False if all are missing."""
    names = Names({image.member: image for image in images})
    listed = {image.file_name for header in headers for image in header.images}
    missing = sorted(name for name in listed if names.find(name) is None)
    title = files[0].member
    if len(missing) == len(listed):
        layout.notes.append(f"skipped {title}: none of its images is in the folder")
        return False
    if missing:
        layout.options["skip_missing"] = True
        layout.notes.append(
            f"skipped {len(missing):,} of {len(listed):,} images of {title} that are not in the "
            f"folder, such as {missing[0]}"
        )
    return True


def _add_classes(
    classes: dict[Any, Category], categories: Sequence[Category], file: Member
) -> None:
    for category in categories:
        known = classes.setdefault(category.id, category)
        if known.name != category.name:
            reason = f"category {category.id} is {category.name!r}, but {known.name!r} elsewhere"
            hint = "load the splits from separate folders"
            raise ReadError(file=file.name, reason=reason, hint=hint)


def _name_classes(layout: Layout, classes: Mapping[Any, Category]) -> None:
    """Number the classes in the order of their ids."""
    order = sorted(classes, key=lambda key: (isinstance(key, str), key))
    names = list[str]()
    for key in order:
        name = classes[key].name or str(key)
        names.append(f"{name} ({key})" if name in names else name)
    layout.names, layout.codes = tuple(names), tuple(map(str, order))
    points = max((len(item.keypoints or ()) for item in classes.values()), default=0)
    layout.options["keypoints"] = points
    roots = [classes[key] for key in order[:1] if classes[key].supercategory == "none"]
    layout.has_root = (
        len(order) > 1
        and all(classes[key].supercategory == root.name for root in roots for key in order[1:])
        and bool(roots)
    )


def _voc(members: Mapping[str, Member], images: Sequence[Member]) -> Layout | None:
    files = [file for name, file in members.items() if name.lower().endswith(".xml")]
    of_images = _of_images(files, images)
    if not any(b"<annotation" in _head(file) for file in of_images[:SAMPLE]):
        return None
    layout, lists = Layout("voc"), defaultdict[str, list[Member]](list)
    for name, file in members.items():
        folders, _, base = name.lower().rpartition("/")
        stem, _, extension = base.rpartition(".")
        if extension == "txt" and "imagesets" in folders.split("/"):
            lists[stem].append(file)
    layout.splits = _split_files(files, images, _lists(lists), layout)
    return layout


def _lists(found: Mapping[str, list[Member]]) -> dict[str, list[Member]]:
    """Return the lists of each split; `trainval` counts only without `train`."""
    lists = {split_of(f"{stem}.txt"): files for stem, files in found.items() if synonyms(stem)}
    if not lists.keys() & {"train", "validation"} and "trainval" in found:
        lists = {"train": found["trainval"], **lists}
    return lists


def _of_images(files: Sequence[Member], images: Sequence[Member]) -> list[Member]:
    """Return the files with the name of an image, without extension."""
    stems = {_stem(image.member) for image in images} if files else set()
    return [file for file in files if _stem(file.member) in stems]


def _head(file: Member, size: int = 4096) -> bytes:
    with file.open() as stream:
        return stream.read(size)


def _split_files(
    files: Sequence[Member],
    images: Sequence[Member],
    lists: Mapping[str, Sequence[Member]],
    layout: Layout,
) -> dict[str, Files]:
    """Return the files of each split, which lists or folders state."""
    stems = {_stem(image.member) for image in images}
    alone = [file.member for file in files if _stem(file.member) not in stems]
    if alone:
        layout.notes.append(f"skipped {len(alone):,} annotations without an image: {alone[0]}, …")
    splits: dict[str, Files] = {}
    for split, named in lists.items():
        present = [file for file in named if _has_images(file, stems)]
        layout.notes += [
            f"skipped {f.member}: its images are not in the folder"
            for f in named
            if f not in present
        ]
        if present:
            splits[split] = {"image": list(images), "annotations": list(files), "list": present}
    if splits:
        return splits
    by_split = _by_split(images)
    unassigned = by_split.pop("", []) if len(by_split) > 1 else []
    if unassigned:
        names = unassigned[0].member
        layout.notes.append(f"skipped {len(unassigned):,} images without a split, such as {names}")
    stated = any(map(_folder_split, files))
    for split, inside in by_split.items():
        own = [file for file in files if not stated or _folder_split(file) == split]
        splits[split] = {"image": inside, "annotations": own}
    return splits


def _has_images(file: Member, stems: set[str]) -> bool:
    """Return True if one of the first lines of a list names an image."""
    lines = _head(file, HEAD).decode("utf-8", "replace").splitlines()
    return any(_stem(line.split(maxsplit=1)[0]) in stems for line in lines[:SAMPLE] if line.strip())


def _stem(name: str) -> str:
    return parts_of(name, stems=True)[0]


def _yolo(members: Mapping[str, Member], images: Sequence[Member]) -> Layout | None:
    texts = [file for name, file in members.items() if name.lower().endswith(".txt")]
    files = _of_images(texts, images)
    layout = Layout("yolo")
    settings = _settings(members)
    points = _POINTS.search(settings)
    layout.options["keypoints"] = (int(points[1]), int(points[2])) if points else ()
    layout.names = _class_names(members, settings)
    if not files or not _are_labels(files, layout):
        return None
    folders = {file.member.rpartition("/")[0] for file in files}
    others = [file for file in texts if file.member.rpartition("/")[0] in folders]
    files += [file for file in others if file not in files and _is_label(file)]
    lists = defaultdict[str, list[Member]](list)
    stems = {_stem(image.member) for image in images}
    for file in texts:
        stem = file.member.rpartition("/")[2].rpartition(".")[0]
        if file not in files and synonyms(stem) and _has_images(file, stems):
            lists[split_of(f"{stem}.txt")].append(file)
    layout.splits = _split_files(files, images, lists, layout)
    return layout


def _are_labels(files: Sequence[Member], layout: Layout) -> bool:
    """Return True if most files are labels; empty ones count if there are class names."""
    reader, valid, filled = _labels(layout.options), 0, 0
    for file in files[:SAMPLE]:
        try:
            found = reader.objects(file)
        except ReadError:
            filled += 1
            continue
        filled += bool(found["labels"])
        valid += bool(found["labels"])
    return 2 * valid > filled if filled else bool(layout.names)


class _Labels(Protocol):
    def objects(self, file: File) -> dict[str, list[Any]]: ...


def _labels(options: Mapping[str, Any]) -> _Labels:
    """Return the reader of labels in the YOLO format."""
    return cast("_Labels", formats.create({"format": "yolo", **options}))


def _is_label(file: Member) -> bool:
    """Return True if a file has labels, but not the name of an image."""
    try:
        return bool(_labels({}).objects(file)["labels"])
    except ReadError:
        return False


def _settings(members: Mapping[str, Member]) -> str:
    """Return the text of the YAML file that states class names, or an empty string."""
    named = (name for name in members if name.lower().endswith((".yaml", ".yml")))
    for name in sorted(named, key=lambda name: (name.count("/"), name)):
        text = _head(members[name], HEAD).decode("utf-8", "replace")
        if _NAMES.search(text):
            return text
    return ""


def _class_names(members: Mapping[str, Member], settings: str) -> tuple[str, ...]:
    """Return the class names of `data.yaml` or `classes.txt`, or nothing."""
    if settings:
        return yaml_names(settings)
    for name, file in members.items():
        base = name.rpartition("/")[2].lower()
        if base in CLASS_FILES or base.endswith(".names"):
            lines = _head(file, HEAD).decode("utf-8-sig", "replace").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
    return ()


def yaml_names(text: str) -> tuple[str, ...]:
    """Return the entry `names` of a YAML file: a list, or texts by number, in any style.

    This reads only what exporters of labels write, so that it needs no package.
    """
    match = _NAMES.search(text)
    body = re.sub(r"(?m)(^|\s)#.*$", "", match[1]) if match else ""
    inner = re.fullmatch(r"\s*[\[{](.*)[\]}]\s*", body, re.DOTALL)
    items = _FLOW.findall(inner[1].replace("\n", " ")) if inner else _BLOCK.findall(body)
    numbered = dict[int, str]()
    for number, (key, value) in enumerate(items):
        name = value.strip()
        quote = name[:1]
        name = name[1:-1].replace("''", "'") if quote in {"'", '"'} else name
        if name:
            numbered[int(key) if key else number] = name
    return tuple(numbered.get(i, str(i)) for i in range(max(numbered, default=-1) + 1))
