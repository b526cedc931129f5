"""`dshub new`: write a manifest for your own files."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from dshub._validate import NAME
from dshub.cache.disk import disk_faults
from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import parse
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.cli.info import columns_text, splits_text
from dshub.display import flat
from dshub.errors import DshubError
from dshub.hub.hub import Hub
from dshub.progress import Progress, Task, size
from dshub.publishing.authoring.drafting import Request, draft, pack, publish, staging, verify
from dshub.publishing.authoring.outline import PACKED, Outline
from dshub.publishing.authoring.survey import dataset_name, key, some
from dshub.publishing.authoring.writing import Resource, manifest_text, resource_keys
from dshub.publishing.pinning import measure
from dshub.settings import Settings

VERSION = "1.0.0"
_PATH = click.Path(exists=True, path_type=Path)


def _given_splits(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[Path, str]:
    splits: dict[Path, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals and path):
            raise click.BadParameter(f"{value!r} is not NAME=PATH, such as train=a.csv")
        if key(name) != name:
            raise click.BadParameter(f"{name!r} is not a split name: a-z 0-9, with _ or - between")
        splits[_PATH.convert(path, param, ctx)] = name
    return splits


@click.command()
@click.argument("paths", nargs=-1, type=_PATH, metavar="PATH...")
@click.option("--name", metavar="OWN/SET", help="Dataset name (default: own/ and the path's name).")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"Manifest to write (default: NAME/{VERSION}.toml).",
)
@click.option("--label", multiple=True, metavar="COLUMN", help="Treat a column as classes.")
@click.option("--text", multiple=True, metavar="COLUMN", help="Treat a column as text.")
@click.option("--number", multiple=True, metavar="COLUMN", help="Treat a column as numbers.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME=PATH",
    callback=_given_splits,
    help="Assign a file or folder to a split, if its name does not say so.",
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Treat the first line of a CSV as a header, or as data.",
)
@click.option("--no-import", is_flag=True, help="Do not import the files into the cache.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@click.option("--force", is_flag=True, help="Replace an existing manifest.")
@answering
def command(
    paths: tuple[Path, ...],
    name: str | None,
    output: Path | None,
    label: tuple[str, ...],
    text: tuple[str, ...],
    number: tuple[str, ...],
    splits: Mapping[Path, str],
    header: bool | None,
    no_import: bool,
    dry_run: bool,
    force: bool,
) -> Answer:
    """Write a manifest for your own files.

    \b
      dshub new ~/flowers                          class folders of images: rose/1.jpg
      dshub new train.csv test.csv --name me/reviews
      dshub new data.zip --split train=old.csv --label grade

    Recognizes class folders of images, audio or text (in a folder or an archive), CSV and TSV,
    JSON, Parquet, Arrow, npz, IDX and plain text in PATHs. Every row is read, and files are copied
    into the cache, so that the dataset loads right away. Your files stay unchanged. Class folders
    are also packed into a tar beside the manifest, for publishing.
    """
    if not paths and not splits:
        raise click.UsageError("Missing argument 'PATH...'.")
    stated = {"label": label, "text": text, "number": number}
    kinds = {column: kind for kind, columns in stated.items() for column in columns}
    request = Request(paths, splits, kinds, header)
    target = _target(request, name, output)
    if not force:
        target.refuse_existing()
    hub = Hub(settings=Settings.read(synthetic=0))  # the files are the real data
    with ExitStack() as stack:
        outline = draft(request, stack, hub.progress)
        data = {"name": target.name, **_plain(outline)}
        if dry_run:
            return Answer(data, _described(outline, target.name))
        data |= _write(outline, target, hub, take=not no_import)
    sources = [Path(data["packed"])] if data["packed"] else list(request.tops)
    data["next"] = _next_steps(target, sources, taken=not no_import)
    steps = "\n".join(f"  {step}" for step in data["next"])
    written = f"{_screen.bold('Written')} {target.manifest}"
    return Answer(data, f"{_described(outline, target.name)}\n\n{written}\n{steps}")


@dataclass(frozen=True)
class _Target:
    """The name of a dataset, and the path of its manifest."""

    name: str
    manifest: Path

    @property
    def archive(self) -> Path:
        """The archive of class folders, beside the manifest."""
        return self.manifest.with_name(f"{self.name.rpartition('/')[2]}.tar")

    def refuse_existing(self) -> None:
        """Raise DshubError for a file that would be replaced."""
        for path in filter(os.path.lexists, (self.manifest, self.archive)):
            raise DshubError(
                f"{path} already exists",
                hint="choose another place with -o or another --name, or replace it with --force",
            )


def _target(request: Request, name: str | None, output: Path | None) -> _Target:
    name = name or f"own/{dataset_name(request.tops[0].resolve().name)}"
    if not NAME.fullmatch(name):
        raise click.UsageError(f"--name {name!r} must be SET or OWN/SET, in a-z 0-9 . _ -")
    if name in Registry().names():
        raise DshubError(f"{name} is a dataset of dshub", hint=f"choose a name, such as own/{name}")
    manifest = output or Path(name, f"{VERSION}.toml")
    if manifest.suffix != ".toml":
        raise click.UsageError(f"-o {manifest}: the name of a manifest ends in .toml")
    for top in request.tops:
        if top.is_dir() and manifest.resolve().is_relative_to(top.resolve()):
            raise DshubError(
                f"{manifest} would be inside the data, in {top}",
                hint="run this in another folder, or choose another place with -o",
            )
    return _Target(name, manifest)


def _write(outline: Outline, target: _Target, hub: Hub, *, take: bool) -> dict[str, Any]:
    """Write the manifest and the archive if they are right; returns facts for `--json`."""
    with staging(target.manifest.parent) as folder:
        resources = _resources(outline, target, folder, hub.progress)
        sums = Counter(facts.sha256 for _, _, facts in resources.values())
        same = [path.name for _, path, facts in resources.values() if sums[facts.sha256] > 1]
        if same:  # a test set can be the training set by mistake
            outline.doubts.append(f"{some(same)} have the same bytes")
        text = manifest_text(target.name, VERSION, outline, resources)
        manifest = parse(text, source=str(target.manifest))
        files = {item.key: item.path for item in resources.values()}
        _check(manifest, files, hub, take=take)
        publish(text, target.manifest, folder)
    return {
        "manifest": str(target.manifest),
        "packed": str(target.archive) if PACKED in resources else None,
        "imported": take,
        "resources": {
            key: {"filename": path.name, "sha256": facts.sha256, "size": facts.size}
            for key, path, facts in resources.values()
        },
    }


def _resources(
    outline: Outline, target: _Target, folder: Path, progress: Progress
) -> dict[Path, Resource]:
    """The files by their path in the outline; class folders are packed into `folder`."""
    keys = resource_keys(outline, target.name)
    paths = {path: path for path in keys}
    if PACKED in keys:
        total = size(sum(path.stat().st_size for _, path in outline.members))
        _screen.note(
            f"packing {len(outline.members):,} files, {total}, into {target.archive}; "
            "your files stay where they are"
        )
        paths[PACKED] = pack(folder / target.archive.name, outline.members, progress)
    resources = {}
    for original, path in paths.items():
        title = f"computing the checksum of {path.name}"
        with disk_faults(path, "read"), Task(progress, title, path.stat().st_size) as task:
            facts = measure(path, advance=task.advance)
        resources[original] = Resource(keys[original], path, facts)
    return resources


def _check(manifest: Manifest, files: Mapping[str, Path], hub: Hub, *, take: bool) -> None:
    """Read every row as `load` does: from the cache, or from the files where they are."""
    if not take:
        verify(manifest, files, hub.progress)
        return
    registry = Registry(manifests=[manifest], built_in=False)
    hub = Hub(settings=hub.settings, registry=registry, progress=hub.progress)
    cache = _screen.short_path(hub.store.root)
    _screen.note(f"copying {size(manifest.size)} into the cache, {cache}")
    hub.import_files(manifest.name, list(files.values()))
    hub.prepare(manifest.name)


def _next_steps(target: _Target, sources: Sequence[Path], *, taken: bool) -> list[str]:
    path, files = target.manifest, " ".join(map(str, sources))
    words = "describe the dataset, its license and how to cite it"
    load = f'dshub.load("{path}")' if taken else f"`dshub import {path} {files}` first"
    uploads = ", ".join(f"the files in {item}" if item.is_dir() else str(item) for item in sources)
    share = (
        f"share it: `dshub mirror FOLDER {path}`; or upload {uploads}, and write `urls` into the "
        "manifest"
    )
    return [f"open {path}: {words}; then `dshub check {path}`", f"load it: {load}", share]


def _plain(outline: Outline) -> dict[str, Any]:
    """An outline for `--json`."""
    return {
        "kind": outline.kind,
        "features": msgspec.to_builtins(outline.features),
        "splits": {
            name: {"rows": split.rows, "without": split.without, "figures": split.figures}
            for name, split in outline.splits.items()
        },
        "doubts": outline.doubts,
    }


def _described(outline: Outline, name: str) -> str:
    """An outline as text."""
    blocks = [
        f"{_screen.bold(name)}  {outline.kind}",
        columns_text(outline.features),
        splits_text((key, split.rows, split.without) for key, split in outline.splits.items()),
    ]
    for column, feature in outline.features.items():
        if isinstance(feature, LabelFeature):
            width = max(_screen.terminal_width() - 2, 20)
            classes = flat(_screen.fitted(_classes(outline, column, feature), width))
            blocks.append(f"{_screen.bold('Classes')} of {column}, in order (rows)\n  {classes}")
    if outline.doubts:
        doubts = "\n".join(f"  {flat(doubt)}" for doubt in outline.doubts)
        blocks.append(f"{_screen.bold('Please check')}\n{doubts}")
    return "\n\n".join(blocks)


def _classes(outline: Outline, column: str, feature: LabelFeature) -> str:
    """Each class, and in parentheses its rows in all splits."""
    figures = [split.figures.get(f"{column}-counts") for split in outline.splits.values()]
    totals = map(sum, zip(*filter(None, figures), strict=True))
    return ", ".join(f"{name} ({rows:,})" for name, rows in zip(feature.names, totals, strict=True))
