"""`dshub new`: a manifest from a person's own files."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dshub.cli import _screen
from dshub.cli._outlines import plain, text
from dshub.errors import DshubError
from dshub.progress import size

if TYPE_CHECKING:
    from dshub.catalog.manifest import Manifest
    from dshub.hub.hub import Hub
    from dshub.publishing.authoring.drafting import Request
    from dshub.publishing.authoring.outline import Outline

VERSION = "1.0.0"
_PATH = click.Path(exists=True, path_type=Path)


def _given_splits(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[Path, ...]]:
    from dshub.publishing.authoring.survey import key

    found: dict[str, tuple[Path, ...]] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals and path):
            raise click.BadParameter(f"{value!r} is not NAME=PATH, such as train=a.csv")
        if key(name) != name:
            raise click.BadParameter(
                f"a split is named in a-z 0-9 with _ or - between, not {name!r}"
            )
        found[name] = (*found.get(name, ()), _PATH.convert(path, param, ctx))
    return found


@click.command(short_help="Write a manifest from files of your own.")
@click.argument("paths", nargs=-1, type=_PATH, metavar="PATH...")
@click.option("--name", metavar="OWN/SET", help="The dataset's name (default own/ and the path's).")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"The manifest to write (default NAME/{VERSION}.toml).",
)
@click.option("--label", multiple=True, metavar="COLUMN", help="A column of classes.")
@click.option("--text", multiple=True, metavar="COLUMN", help="A column of text.")
@click.option("--number", multiple=True, metavar="COLUMN", help="A column of numbers.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME=PATH",
    callback=_given_splits,
    help="A file or folder of a split, where its name does not say so.",
)
@click.option("--header/--no-header", default=None, help="What the first line of a CSV is.")
@click.option("--no-import", is_flag=True, help="Put nothing into the cache.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--force", is_flag=True, help="Replace a manifest that is there already.")
@_screen.json_option
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
    as_json: bool,
) -> None:
    """Look at PATHs, say what dataset they are, and write its manifest.

    \b
      dshub new ~/flowers                          class folders of pictures: rose/1.jpg
      dshub new train.csv test.csv --name me/reviews
      dshub new data.zip --split train=old.csv --label grade

    Class folders of pictures, recordings or texts (in a folder or an archive), CSV and TSV, JSON,
    parquet, Arrow, npz, IDX and plain text are known. Every row is read, and copied into the
    cache, so that the dataset loads right away. Your files stay as they are; those of class
    folders are also packed into one tar beside the manifest, which is what you then publish.
    """
    from dshub.publishing.authoring.columns import Wishes
    from dshub.publishing.authoring.drafting import Request
    from dshub.publishing.authoring.writing import require_tomlkit

    if not paths and not splits:
        raise click.UsageError("Missing argument 'PATH...'.")
    require_tomlkit()
    request = Request(paths, splits, Wishes(label, text, number), header)
    target = _target(request, name, output)
    _Work(request, target, force=force, as_json=as_json).run(dry_run=dry_run, take=not no_import)


@dataclass(frozen=True)
class _Target:
    """What the dataset is called, and where its manifest lies."""

    name: str
    manifest: Path

    @property
    def archive(self) -> str:
        return f"{self.name.rpartition('/')[2]}.tar"

    @property
    def root(self) -> Path | None:
        """The registry it lies in; None where its path says another name."""
        depth = self.name.count("/") + 1
        folders = self.manifest.resolve().parents
        told = "/".join(folder.name for folder in reversed(folders[:depth]))
        return folders[depth] if (told, self.manifest.stem) == (self.name, VERSION) else None


def _target(request: "Request", name: str | None, output: Path | None) -> _Target:
    from dshub._validate import NAME
    from dshub.catalog.registry import Registry
    from dshub.publishing.authoring.survey import dataset_name

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

    def __init__(self, request: "Request", target: _Target, *, force: bool, as_json: bool) -> None:
        from dshub.progress import choose
        from dshub.publishing.authoring.drafting import Staged
        from dshub.settings import Settings

        self._request, self._target, self._as_json = request, target, as_json
        self._settings = Settings.read(synthetic=0)  # the files are the data, not a stand-in
        self._progress = choose(self._settings.progress)
        self._staged = Staged(target.manifest, target.archive, force=force)

    def run(self, *, dry_run: bool, take: bool) -> None:
        """Look, write, check, and put into the cache."""
        from dshub.publishing.authoring.drafting import draft

        with ExitStack() as stack:
            outline = draft(self._request, stack, self._progress)
            data = {"name": self._target.name, **plain(outline)}
            if dry_run:
                _screen.answer(self._as_json, data, lambda: text(outline, self._target.name))
                return
            data |= self._write(outline, take=take)
        data["next"] = self._next(packed=data["packed"] is not None, taken=take)
        _screen.answer(self._as_json, data, lambda: self._text(outline, data["next"]))

    def _write(self, outline: "Outline", *, take: bool) -> dict[str, Any]:
        """Write the manifest if it holds for the files; what was written."""
        from dshub.catalog.parsing import parse
        from dshub.publishing.authoring.outline import PACKED
        from dshub.publishing.authoring.writing import manifest_text, resource_keys

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
        from dshub.cache.disk import disk_faults
        from dshub.progress import Task
        from dshub.publishing.pinning import measure

        found = {}
        total = sum(path.stat().st_size for path in paths)
        with Task(self._progress, "computing checksums", total) as task:
            for path in paths:
                with disk_faults(path, "read"):
                    found[path] = measure(path, advance=task.advance)
        return found

    def _check(self, manifest: "Manifest", files: Mapping[str, Path], *, take: bool) -> None:
        """Read every row as `load` will: from the cache, or from the files where they are."""
        from dshub.publishing.authoring.drafting import verify
        from dshub.tables.recipe import recipe

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

    def _hub(self, manifest: "Manifest") -> "Hub":
        from dshub.catalog.registry import Registry
        from dshub.hub.hub import Hub

        registry = Registry(manifests=[manifest], built_in=False)
        return Hub(settings=self._settings, registry=registry, progress=self._progress)

    def _next(self, *, packed: bool, taken: bool) -> list[str]:
        target = self._target
        files = [str(path) for path in self._request.tops]
        sources = [str(self._staged.archive)] if packed else files
        words = "say what the dataset is, its licence and how to cite it"
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

    def _text(self, outline: "Outline", steps: Sequence[str]) -> str:
        listing = "\n".join(f"  {step}" for step in steps)
        written = f"{_screen.bold('Written')} {self._target.manifest}"
        return f"{text(outline, self._target.name)}\n\n{written}\n{listing}"


def _tell_twins(outline: "Outline", resources: Mapping[str, Any]) -> None:
    """Two files with the same bytes are seldom meant: a test set that is the training set."""
    seen: dict[str, str] = {}
    for name, facts in resources.values():
        other = seen.setdefault(facts.sha256, name)
        if other != name:
            outline.doubts.append(f"{other} and {name} have the same bytes")
