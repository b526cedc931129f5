"""Finding manifests: folders of `<name>/<version>.toml`, and nothing else.

The built-in registry travels inside the wheel (and lies beside the package in a checkout). More
folders come from `DSHUB_REGISTRY`, and from installed packages that announce one (see
`dshub.plugins.registries`). A family is a folder of datasets: `glue` means every dataset whose
name begins with `glue/`.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import msgspec

from dshub import plugins
from dshub._validate import Count, Key, Name, Size, Text, Version
from dshub.catalog.faults import Fault
from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import read
from dshub.errors import DshubError, ManifestError, UnknownNameError

_Entries = dict[str, dict[str, Path | Manifest]]  # by name and version


class Registry:
    """The datasets that can be named.

    Args:
        roots: folders of manifests besides the built-in ones.
        manifests: manifests that are not in any folder, such as synthetic stand-ins.
        built_in: whether dshub's own manifests belong to it, and those of installed packages.

    Listing names walks the folders once; a manifest is read when it is asked for. Installed
    packages are looked at only to list, or for a name that nobody else has, for that takes 50 ms;
    a dataset that is known without them is not theirs.
    """

    def __init__(
        self,
        roots: Sequence[Path] = (),
        *,
        manifests: Sequence[Manifest] = (),
        built_in: bool = True,
    ) -> None:
        self._roots = [*roots, *([built_in_root()] if built_in else [])]
        self._built_in = built_in
        self._given = {(item.name, item.version): item for item in manifests}

    def __repr__(self) -> str:
        return f"<Registry of {', '.join(map(str, self._roots)) or 'no folder'}>"

    @cached_property
    def _near(self) -> _Entries:
        """What is found without looking at installed packages."""
        found = _walk_all(self._roots)
        for (name, version), manifest in self._given.items():
            found.setdefault(name, {})[version] = manifest
        return found

    @cached_property
    def _found(self) -> _Entries:
        far = _walk_all(plugins.registries()) if self._built_in else {}
        return dict(sorted((far | self._near).items()))

    def _entries(self, name: str) -> Mapping[str, Path | Manifest]:
        """The versions of a dataset; raises UnknownNameError."""
        found = self._near.get(name) or self._found.get(name)
        if found is None:
            raise self._unknown(name)
        return found

    def names(self) -> list[str]:
        """Every dataset, sorted: `["emnist/balanced", …, "mnist"]`."""
        return list(self._found)

    def versions(self, name: str) -> list[str]:
        """The versions of a dataset, newest first; raises UnknownNameError."""
        return sorted(self._entries(name), key=version_key, reverse=True)

    def manifest(self, name: str) -> Manifest:
        """The manifest of `name`, `name@version`, or of a file whose name ends in `.toml`.

        Raises:
            UnknownNameError: there is no such dataset or version; names the closest ones.
            ManifestError: its file has faults.
        """
        if name.endswith(".toml"):
            return read(Path(name))
        name, _, version = name.partition("@")
        versions = self.versions(name)
        version = version or versions[0]
        if version not in versions:
            raise UnknownNameError(kind=f"version of {name}", name=version, known=versions)
        entry = self._entries(name)[version]
        if isinstance(entry, Manifest):
            return entry
        return _checked_place(read(entry), name, version, entry)

    def file(self, name: str) -> Path | None:
        """Where the manifest of a name comes from; None where it is in no file."""
        if name.endswith(".toml"):
            return Path(name)
        name, _, version = name.partition("@")
        entry = self._found[name][version or self.versions(name)[0]]
        return entry if isinstance(entry, Path) else None

    def manifests(self) -> Iterator[Manifest]:
        """The newest manifest of every dataset, in the order of `names`.

        One that has faults is left out, with a warning: it must not hide the others.
        """
        for name in self.names():
            try:
                yield self.manifest(name)
            except ManifestError as error:
                import logging

                logging.getLogger("dshub").warning("%s; left out", error)

    def expand(self, names: Sequence[str]) -> list[str]:
        """The same names with each family replaced by its members, each name once."""
        expanded: dict[str, None] = {}
        for name in names:
            expanded.update(dict.fromkeys(self._meant(name)))
        return list(expanded)

    def _meant(self, name: str) -> list[str]:
        plain = name.partition("@")[0]
        if name.endswith(".toml") or plain in self._near or plain in self._found:
            return [name]
        members = [other for other in self.names() if other.startswith(f"{name}/")]
        if not members:
            raise self._unknown(name)
        return members

    def search(self, words: Sequence[str]) -> list[Manifest]:
        """Manifests in which every word occurs, in name, title, summary, task, tag or class."""
        return [item for item in self.manifests() if found_by(words, item, classes(item))]

    def listing(self, words: Sequence[str] = ()) -> list["Summary"]:
        """A line for each dataset in which every word occurs, in the order of `names`."""
        return [Summary.of(item) for item in self.search(words)]

    def text(self, name: str) -> bytes:
        """The bytes of the file that a manifest was read from.

        Raises:
            UnknownNameError, ManifestError: see `manifest`.
            DshubError: it is in no file, as that of a stand-in.
        """
        manifest = self.manifest(name)
        relative = Path(manifest.name, f"{manifest.version}.toml")
        places = [Path(name)] if name.endswith(".toml") else self.files()
        for path in places:
            if name.endswith(".toml") or path.parts[-len(relative.parts) :] == relative.parts:
                return path.read_bytes()
        raise DshubError(
            f"the manifest of {manifest.identifier} is in no file",
            hint="write it to a file, and name that",
        )

    def at_hand(self) -> Self:
        """The same, as far as it is on this machine: here, all of it."""
        return self

    def confirm(self, manifest: Manifest) -> None:
        """Make sure that a manifest is the only one of its name and version: here, it is."""

    def take_table(self, manifest: Manifest, split: str, key: str, recipe: Any) -> bool:
        """Whether the table of a split could be had ready-made: here, none can.

        Args:
            manifest: of the dataset.
            split: one of its splits, whose table is not there.
            key: of the table's recipe.
            recipe: what its `table.json` has to say of how it was made.
        """
        del manifest, split, key, recipe
        return False

    def mirrored(self) -> frozenset[str]:
        """The checksums of files that mirrors list, as digits: here, none."""
        return frozenset()

    def files(self) -> list[Path]:
        """Every manifest file of the registry, sorted."""
        return sorted(
            entry
            for versions in self._found.values()
            for entry in versions.values()
            if isinstance(entry, Path)
        )

    def _unknown(self, name: str) -> UnknownNameError:
        return unknown(name, self._found, self.gone())

    def gone(self) -> list[Path]:
        """Folders that are to hold manifests, and are not there."""
        return [root for root in self._roots if not os.path.isdir(root)]  # noqa: PTH112  # or closed


def unknown(
    name: str, known: Collection[str], gone: Sequence[Path] = (), besides: Sequence[str] = ()
) -> UnknownNameError:
    """An error with the names that were probably meant, however they were written.

    Args:
        name: what somebody wrote, such as `MNIST`, `cifar10`, `ylecun/mnist`, `mnist:train`.
        known: every dataset.
        gone: folders that may have had it.
        besides: what else the hint is to say.
    """
    told = [f"the folder {folder}, which is to hold manifests, is not there" for folder in gone]
    told += besides
    members = [other for other in known if other.startswith(f"{name}/")]
    if members:
        hint = "; ".join([f"it is a family, of {', '.join(members)}", *told])
        return UnknownNameError(kind="single dataset", name=name, close=(), hint=hint)
    close = _closest(re.split("[@:[]", name.removeprefix("hf:"))[0], known)
    hints = [] if close else ["`dshub list` shows every dataset"]
    family, slash, _ = name.partition("/")
    if name.startswith("hf:"):
        hints.append("names with hf: are for `load`, in Python")
    elif not close or (slash and family not in {*known, *_families(known)}):
        asked = name if slash else "owner/name"
        hints.append(f'load("hf:{asked}") asks the Hugging Face hub')
    hint = "; ".join([*hints, *told])
    return UnknownNameError(kind="dataset", name=name, close=close, hint=hint)


def _families(known: Collection[str]) -> set[str]:
    return {name.partition("/")[0] for name in known if "/" in name}


def _closest(name: str, known: Collection[str]) -> list[str]:
    """The datasets and families that a name may mean: written otherwise, cut short, or misspelt.

    What is written with another capital or hyphen is the one; a beginning may be that of three.
    """
    import difflib

    plain, last = _plain(name), _plain(name.rpartition("/")[2])
    whole = _by_plain([*known, *sorted(_families(known))])
    ends = _by_plain(known, end=True) | whole
    if plain in ends or last in whole:
        return [ends.get(plain) or whole[last]]
    begun = [other for key, other in ends.items() if len(plain) > 2 and key.startswith(plain)]
    if begun:
        return sorted(set(begun), key=_in_order)[:3]
    matches = difflib.get_close_matches(plain, ends, n=3, cutoff=0.7)
    matches.sort(key=lambda match: sorted(match) != sorted(plain))  # swapped letters first
    longest = sorted(whole, key=len, reverse=True)
    if len(plain) > 3:
        matches += [key for key in longest if len(key) > 3 and (key in plain or plain in key)]
    return [ends[match] for match in matches[:1]]


def _by_plain(names: Collection[str], *, end: bool = False) -> dict[str, str]:
    """Names, or their last parts, without capitals and hyphens; the first of those that agree."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(_plain(name.rpartition("/")[2] if end else name), name)
    return found


def _in_order(name: str) -> tuple[str, ...]:
    """Sorts `cifar-10` before `cifar-100`, and `imagenet-1k` before `imagenet-resized/8x8`."""
    return tuple(part.zfill(6) if part.isdigit() else part for part in re.split(r"(\d+)", name))


def built_in_root() -> Path:
    """The folder of dshub's own manifests: inside the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "_registry"
    return inside if inside.is_dir() else package.parent / "registry"


def _walk_all(roots: Sequence[Path]) -> _Entries:
    """Every manifest below some folders, by name and version.

    Raises:
        DshubError: two folders have different manifests for one version.
    """
    found: _Entries = {}
    for root in reversed(roots):
        for name, version, path in _walk(root):
            other = found.setdefault(name, {}).get(version)
            if isinstance(other, Path) and other.read_bytes() != path.read_bytes():
                raise _conflict(name, version, [path, other])
            found[name][version] = path
    return found


def _walk(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Name, version and path of every manifest below a folder."""
    for entry in _listed(root):
        if entry.is_dir():
            yield from _walk_names(Path(entry.path), entry.name, depth=0)


def _walk_names(folder: Path, name: str, depth: int) -> Iterator[tuple[str, str, Path]]:
    for entry in _listed(folder):
        if entry.name.endswith(".toml"):
            yield name, entry.name.removesuffix(".toml"), Path(entry.path)
        elif depth == 0 and entry.is_dir():
            yield from _walk_names(Path(entry.path), f"{name}/{entry.name}", depth=1)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted; one that is not there holds nothing, and others still do.

    Hidden files are left out: macOS puts `._1.0.0.toml` beside `1.0.0.toml` on foreign disks.
    """
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _checked_place(manifest: Manifest, name: str, version: str, path: Path) -> Manifest:
    if (manifest.name, manifest.version) != (name, version):
        told = f"it says {manifest.identifier}, but its path says {name}@{version}"
        raise ManifestError(source=str(path), faults=[Fault("name", told)])
    return manifest


def _conflict(name: str, version: str, paths: Sequence[Path]) -> DshubError:
    places = " and ".join(str(path) for path in paths)
    return DshubError(
        f"two different manifests claim to be {name}@{version}: {places}",
        hint="give one of them another name or version, or use one by its path",
    )


def version_key(version: str) -> tuple[int, ...]:
    """What versions are ordered by: their numbers."""
    numbers = version.partition("+")[0].split(".")
    return tuple(int(part) if re.fullmatch("[0-9]{1,18}", part) else -1 for part in numbers)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9/]", "", name.casefold())


def classes(manifest: Manifest) -> list[str]:
    """The names of a dataset's classes."""
    return [
        name for feature in manifest.features.values() for name in getattr(feature, "names", ())
    ]


def found_by(
    words: Sequence[str], item: "Manifest | Summary", names_of_classes: Sequence[str]
) -> bool:
    """Whether every word occurs in name, title, summary, task, a tag or a class."""
    texts = [item.name, item.title, item.summary, item.task, *item.tags, *names_of_classes]
    text = " ".join(texts).casefold()
    return all(word.casefold() in text for word in words)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a listing.

    Attributes:
        rows: of each split.
        size: bytes to download; None where one file's is unknown.
        license: SPDX identifier; None where no source states one.
    """

    name: Name
    version: Version
    title: Text
    summary: Text
    task: Text
    tags: tuple[Text, ...]
    rows: dict[Key, Count]
    size: Size | None
    license: Text | None
    synthetic: bool

    @classmethod
    def of(cls, manifest: Manifest) -> "Summary":
        """The summary of a manifest."""
        return Summary(
            name=manifest.name,
            version=manifest.version,
            title=manifest.title,
            summary=manifest.summary,
            task=manifest.task,
            tags=manifest.tags,
            rows={name: split.rows for name, split in manifest.splits.items()},
            size=manifest.size,
            license=manifest.license.spdx,
            synthetic=manifest.synthetic,
        )
