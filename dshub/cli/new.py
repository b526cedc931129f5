"""`dshub new`: write a manifest for your own files."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from dshub._validate import NAME
from dshub.cache.disk import disk_faults
from dshub.catalog.features import Feature, LabelFeature
from dshub.catalog.manifest import Manifest
from dshub.catalog.parsing import parse
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.display import flat
from dshub.errors import DshubError
from dshub.hub.hub import Hub
from dshub.progress import Task, choose, size
from dshub.publishing.authoring.columns import Wishes, described
from dshub.publishing.authoring.drafting import Request, Staged, draft, verify
from dshub.publishing.authoring.outline import PACKED, Outline
from dshub.publishing.authoring.survey import dataset_name, key
from dshub.publishing.authoring.writing import manifest_text, require_tomlkit, resource_keys
from dshub.publishing.pinning import measure
from dshub.settings import Settings
from dshub.tables.recipe import recipe

VERSION = "1.0.0"
_PATH = click.Path(exists=True, path_type=Path)


def _given_splits(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[Path, ...]]:
    splits: dict[str, tuple[Path, ...]] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals and path):
            raise click.BadParameter(f"{value!r} is not NAME=PATH, such as train=a.csv")
        if key(name) != name:
            raise click.BadParameter(
                f"a split is named in a-z 0-9 with _ or - between, not {name!r}"
            )
        splits[name] = (*splits.get(name, ()), _PATH.convert(path, param, ctx))
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
    splits: Mapping[str, tuple[Path, ...]],
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
    require_tomlkit()
    request = Request(paths, splits, Wishes(label, text, number), header)
    target = _target(request, name, output)
    return _Work(request, target, force=force).run(dry_run=dry_run, take=not no_import)


@dataclass(frozen=True)
class _Target:
    """Name of the dataset, and path of its manifest."""

    name: str
    manifest: Path

    @property
    def archive(self) -> str:
        return f"{self.name.rpartition('/')[2]}.tar"

    @property
    def root(self) -> Path | None:
        """The registry around it; None if its path says another name."""
        depth = self.name.count("/") + 1
        folders = self.manifest.resolve().parents
        path_name = "/".join(folder.name for folder in reversed(folders[:depth]))
        return folders[depth] if (path_name, self.manifest.stem) == (self.name, VERSION) else None


def _target(request: Request, name: str | None, output: Path | None) -> _Target:
    name = name or f"own/{dataset_name(request.tops[0].resolve().name)}"
    if not NAME.fullmatch(name):
        raise click.UsageError(f"--name {name!r} must be SET or OWN/SET, in a-z 0-9 . _ -")
    if name in Registry().names():
        raise DshubError(
            f"{name} is one of dshub's own datasets", hint=f"call it --name own/{name} or the like"
        )
    manifest = output or Path(*name.split("/"), f"{VERSION}.toml")
    if manifest.suffix != ".toml":
        raise click.UsageError(f"-o {manifest}: a manifest's name ends in .toml")
    for top in request.tops:
        if top.is_dir() and manifest.resolve().is_relative_to(top.resolve()):
            raise DshubError(
                f"{manifest} would lie among the data, in {top}",
                hint="run it from elsewhere, or choose another place with -o",
            )
    return _Target(name, manifest)


class _Work:
    """From files to a manifest, step by step."""

    def __init__(self, request: Request, target: _Target, *, force: bool) -> None:
        self._request, self._target = request, target
        self._settings = Settings.read(synthetic=0)  # the files are the real data
        self._progress = choose(self._settings.progress)
        self._staged = Staged(target.manifest, target.archive, force=force)

    def run(self, *, dry_run: bool, take: bool) -> Answer:
        """Draft, write, check, and import into the cache."""
        with ExitStack() as stack:
            outline = draft(self._request, stack, self._progress)
            data = {"name": self._target.name, **_plain(outline)}
            if dry_run:
                return Answer(data, _described(outline, self._target.name))
            data |= self._write(outline, take=take)
        data["next"] = self._next(packed=data["packed"] is not None, taken=take)
        return Answer(data, self._text(outline, data["next"]))

    def _write(self, outline: Outline, *, take: bool) -> dict[str, Any]:
        """Write the manifest if it fits the files; returns facts about it."""
        keys = resource_keys(outline, self._target.name)
        with self._staged as staged:
            places = {path: path for path in keys}
            if PACKED in keys:
                self._announce(outline.members)
                places[PACKED] = staged.pack(outline.members, self._progress)
            names = {path: staged.archive.name if path == PACKED else path.name for path in keys}
            measured = self._measured(list(places.values()))
            resources = {key: (names[path], measured[places[path]]) for path, key in keys.items()}
            _tell_twins(outline, resources)
            written = manifest_text(
                self._target.name, VERSION, outline, resources=resources, keys=keys
            )
            manifest = parse(written, source=str(self._target.manifest))
            files = {key: places[path] for path, key in keys.items()}
            self._check(manifest, files, take=take)
            staged.publish(written)
        return {
            "manifest": str(staged.manifest),
            "packed": str(staged.archive) if PACKED in keys else None,
            "imported": take,
            "resources": {
                key: {"filename": name, "sha256": facts.sha256, "size": facts.size}
                for key, (name, facts) in resources.items()
            },
        }

    def _announce(self, members: Sequence[tuple[str, Path]]) -> None:
        total = sum(path.stat().st_size for _, path in members)
        _screen.note(
            f"packing {len(members):,} files, {size(total)}, into {self._staged.archive}; "
            "yours stay where they are"
        )

    def _measured(self, paths: Sequence[Path]) -> dict[Path, Any]:
        measured = {}
        total = sum(path.stat().st_size for path in paths)
        with Task(self._progress, "computing checksums", total) as task:
            for path in paths:
                with disk_faults(path, "read"):
                    measured[path] = measure(path, advance=task.advance)
        return measured

    def _check(self, manifest: Manifest, files: Mapping[str, Path], *, take: bool) -> None:
        """Read every row as `load` does: from the cache, or from the files where they are."""
        for split in manifest.splits:
            recipe(manifest, split)  # its reader must take the options
        if not take:
            verify(manifest, files, self._progress)
            return
        hub = self._hub(manifest)
        total = manifest.size or 0
        _screen.note(f"copying {size(total)} into the cache, {_screen.short_path(hub.store.root)}")
        hub.import_files(manifest.name, list(files.values()))
        hub.prepare(manifest.name)

    def _hub(self, manifest: Manifest) -> Hub:
        registry = Registry(manifests=[manifest], built_in=False)
        return Hub(settings=self._settings, registry=registry, progress=self._progress)

    def _next(self, *, packed: bool, taken: bool) -> list[str]:
        target = self._target
        files = [str(path) for path in self._request.tops]
        sources = [str(self._staged.archive)] if packed else files
        words = "describe the dataset, its license and how to cite it"
        steps = [f"open {target.manifest}: {words}; then `dshub check {target.manifest}`"]
        if taken:
            steps.append(f'load it: dshub.load("{target.manifest}")')
        else:
            steps.append(f"load it: `dshub import {target.manifest} {' '.join(sources)}` first")
        if target.root is not None:
            root = os.path.relpath(target.root)
            steps.append(f"load it by name: set DSHUB_REGISTRY={root}, then {target.name}")
        what = ", ".join(sources)
        steps.append(
            f"share it: upload {what}, and write `urls` into the manifest; "
            "`dshub fetch --from FOLDER` takes files from a folder"
        )
        return steps

    def _text(self, outline: Outline, steps: Sequence[str]) -> str:
        listing = "\n".join(f"  {step}" for step in steps)
        written = f"{_screen.bold('Written')} {self._target.manifest}"
        return f"{_described(outline, self._target.name)}\n\n{written}\n{listing}"


def _tell_twins(outline: Outline, resources: Mapping[str, Any]) -> None:
    """Note files with the same bytes: a test set may be the training set by mistake."""
    seen: dict[str, str] = {}
    for name, facts in resources.values():
        other = seen.setdefault(facts.sha256, name)
        if other != name:
            outline.doubts.append(f"{other} and {name} have the same bytes")


def _plain(outline: Outline) -> dict[str, Any]:
    """An outline for a program."""
    return {
        "kind": outline.kind,
        "features": msgspec.to_builtins(outline.features),
        "examples": outline.examples,
        "splits": {
            name: {
                "rows": split.rows,
                "without": split.without,
                "figures": {figure: list(value) for figure, value in split.figures.items()},
            }
            for name, split in outline.splits.items()
        },
        "doubts": outline.doubts,
    }


def _described(outline: Outline, name: str) -> str:
    """An outline for a person."""
    width = _screen.terminal_width()
    rows = [
        [
            f"  {column}",
            described(feature),
            _screen.dim(_screen.fitted(_example(outline, column), 60)),
        ]
        for column, feature in outline.features.items()
    ]
    blocks = [
        f"{_screen.bold(name)}  {outline.kind}",
        _screen.bold("Columns") + "\n" + _screen.columns(rows),
        _screen.bold("Splits") + "\n" + _split_rows(outline),
    ]
    for column, feature in outline.features.items():
        if isinstance(feature, LabelFeature):
            classes = _screen.fitted(_classes(outline, column, feature), max(width - 2, 20))
            blocks.append(f"{_screen.bold('Classes')} of {column}, in order\n  {flat(classes)}")
    if outline.doubts:
        listing = "\n".join(f"  {flat(doubt)}" for doubt in outline.doubts)
        blocks.append(f"{_screen.bold('Look at')}\n{listing}")
    return "\n\n".join(blocks)


def _example(outline: Outline, column: str) -> str:
    shown = " ".join(outline.examples.get(column, "").split())
    return f"such as {shown}" if shown else ""


def _split_rows(outline: Outline) -> str:
    rows = [
        [f"  {name}", f"{split.rows:,} rows", f"without {', '.join(split.without)}"]
        if split.without
        else [f"  {name}", f"{split.rows:,} rows", ""]
        for name, split in outline.splits.items()
    ]
    return _screen.columns(rows, right=(1,))


def _classes(outline: Outline, column: str, feature: Feature) -> str:
    """Each class, and its rows in all splits."""
    counts = [
        rows
        for split in outline.splits.values()
        if (rows := split.figures.get(f"{column}-counts")) is not None
    ]
    totals = [sum(own) for own in zip(*counts, strict=True)]
    names = feature.names if isinstance(feature, LabelFeature) else ()
    return ", ".join(f"{name} {total:,}" for name, total in zip(names, totals, strict=True))
