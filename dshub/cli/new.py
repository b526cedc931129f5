"""Command `dshub new`: write a manifest for your own files."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from dshub._validate import NAME
from dshub.cache.disk import disk_faults
from dshub.catalog.manifest import Manifest, MemberEncoding
from dshub.catalog.parsing import parse
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.cli._outline import described, plain
from dshub.datasets.tabular.arrays import ArrayRange
from dshub.datasets.tabular.readers import TextOptions
from dshub.errors import DshubError
from dshub.formats._texts import Delimiter, Encoding
from dshub.hub.hub import Hub
from dshub.progress import Progress, Task, size
from dshub.publishing.authoring.drafting import Request, draft, pack, publish, staging, verify
from dshub.publishing.authoring.media import check_media as check_all_media
from dshub.publishing.authoring.outline import PACKED, Outline
from dshub.publishing.authoring.survey import dataset_name, key, some
from dshub.publishing.authoring.writing import Resource, manifest_text, resource_keys
from dshub.publishing.measuring import measure
from dshub.settings import Settings

VERSION = "1.0.0"
_PATH = click.Path(exists=True, path_type=Path)


def _parse_splits(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[Path, str]:
    splits: dict[Path, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals and path):
            raise click.BadParameter(f"{value!r} is not NAME=PATH, such as train=a.csv")
        if key(name) != name:
            raise click.BadParameter(
                f"{name!r} is not a split name; use a-z and 0-9, separated by _ or -"
            )
        splits[_PATH.convert(path, param, ctx)] = name
    return splits


def _parse_arrays(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, ArrayRange]:
    arrays: dict[str, ArrayRange] = {}
    for value in values:
        name, equals, columns = value.partition("=")
        if not equals or key(name) != name or name in arrays:
            message = (
                f"{value!r} is not NAME=FIRST..LAST with a new name of a-z and 0-9, separated by _ "
                "or -, such as pixels=pixel0..pixel783:28x28"
            )
            raise click.BadParameter(message, ctx=ctx, param=param)
        arrays[name] = ArrayRange.parse(name, columns)
    return arrays


def _parse_delimiter(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    delimiter = {"tab": "\t", "\\t": "\t"}.get(value or "", value)
    if delimiter is not None and delimiter not in get_args(Delimiter):
        message = f"{value!r} is not one of , ; | :: tab blanks"
        raise click.BadParameter(message, ctx=ctx, param=param)
    return delimiter


@click.command()
@click.argument("paths", nargs=-1, type=_PATH, metavar="PATH...")
@click.option(
    "--name", metavar="OWNER/NAME", help="Dataset name (default: own/ and the name of PATH)."
)
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
    callback=_parse_splits,
    help="Assign a file or folder to a split. By default, splits are recognized by file name.",
)
@click.option(
    "--header/--no-header",
    default=None,
    help="Treat the first line of a CSV file as a header or as data.",
)
@click.option(
    "--delimiter",
    metavar="TEXT",
    callback=_parse_delimiter,
    help='Delimiter of CSV files: ",", ";", "|", "::", tab, blanks or ", " (with spaces after it).',
)
@click.option(
    "--encoding",
    type=click.Choice(get_args(Encoding)),
    help="Encoding of text files. By default, it is detected.",
)
@click.option(
    "--decimal-comma",
    multiple=True,
    metavar="COLUMN",
    help="Read numbers such as 1.234,5 in a column of a CSV file.",
)
@click.option(
    "--zip-encoding",
    type=click.Choice(get_args(MemberEncoding)),
    metavar="ENCODING",
    help="Encoding of file names in zip archives that do not state it, such as gbk or cp1252.",
)
@click.option(
    "--check-media",
    is_flag=True,
    help="Decode every image and audio file completely before writing the manifest.",
)
@click.option(
    "--skip-bad", is_flag=True, help="Leave out files in class folders that cannot be decoded."
)
@click.option(
    "--array",
    "arrays",
    multiple=True,
    metavar="NAME=FIRST..LAST",
    callback=_parse_arrays,
    help="Read several columns of numbers as one array; a shape can follow: p=p0..p783:28x28.",
)
@click.option(
    "--documents/--lines",
    default=None,
    help="Treat each plain text file as a row, or each of its lines.",
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
    delimiter: str | None,
    encoding: Encoding | None,
    decimal_comma: tuple[str, ...],
    zip_encoding: MemberEncoding | None,
    check_media: bool,
    skip_bad: bool,
    arrays: Mapping[str, ArrayRange],
    documents: bool | None,
    no_import: bool,
    dry_run: bool,
    force: bool,
) -> Answer:
    """Write a manifest for your own files.

    \b
      dshub new ~/flowers                          class folders of images: rose/1.jpg
      dshub new train.csv test.csv --name me/reviews
      dshub new data.zip --split train=old.csv --label grade
      dshub new mnist.csv --array "pixels=pixel0..pixel783:28x28"

    Recognizes these files, also in archives:

    \b
      - folders of images, audio or text, such as one folder per class
      - images with masks, a table of labels, or COCO, Pascal VOC or YOLO annotations
      - CSV, TSV, JSON, Parquet, Arrow, npz, IDX, LIBSVM and plain text
      - WebDataset, TFRecord and RecordIO shards, and files of `dshub export`

    Reads every row, and lists images and audio files that cannot be decoded. Copies the files into
    the cache, so that the dataset can be loaded right away, and packs folders of small files into a
    tar archive next to the manifest, for publishing. Your files are never changed.
    """
    if not paths and not splits:
        raise click.UsageError("Missing argument 'PATH...'.")
    options = {"label": label, "text": text, "number": number}
    kinds = {column: kind for kind, columns in options.items() for column in columns}
    text_options = TextOptions(header, delimiter, encoding, decimal_comma, naming=key)
    request = Request(
        paths,
        splits,
        kinds,
        text_options,
        arrays=arrays,
        zip_encoding=zip_encoding,
        skip_bad=skip_bad,
        documents=documents,
    )
    target = _target(request, name, output)
    if not force:
        target.refuse_existing()
    return _draft(request, target, take=not no_import, decode=check_media, dry_run=dry_run)


def _draft(
    request: Request, target: "_Target", *, take: bool, decode: bool, dry_run: bool
) -> Answer:
    """Describe the dataset, and write it unless `dry_run` is set."""
    hub = Hub(settings=Settings.read(synthetic=0))  # ignores DSHUB_SYNTHETIC
    with ExitStack() as stack:
        outline = draft(request, stack, hub.progress)
        data = {"name": target.name, **plain(outline)}
        if dry_run:
            return Answer(data, described(outline, target.name))
        data |= _write(outline, target, hub, take=take, decode=decode)
    sources = [Path(data["packed"])] if data["packed"] else list(request.tops)
    data["next"] = _next_steps(target, sources, taken=take)
    steps = "\n".join(f"  {step}" for step in data["next"])
    written = f"{_screen.bold('Written')} {target.manifest}"
    return Answer(data, f"{described(outline, target.name)}\n\n{written}\n{steps}")


@dataclass(frozen=True)
class _Target:
    """The name of the new dataset, and the path of its manifest."""

    name: str
    manifest: Path

    @property
    def archive(self) -> Path:
        """Path of the archive of class folders, next to the manifest."""
        return self.manifest.with_name(f"{self.name.rpartition('/')[2]}.tar")

    def refuse_existing(self) -> None:
        """Check that no file would be replaced.

        Raises:
            DshubError: the manifest or the archive exists.
        """
        for path in filter(os.path.lexists, (self.manifest, self.archive)):
            raise DshubError(
                f"{path} already exists",
                hint="choose another path with -o or another --name, or use --force to replace it",
            )


def _target(request: Request, name: str | None, output: Path | None) -> _Target:
    name = name or f"own/{dataset_name(request.tops[0].resolve().name)}"
    if not NAME.fullmatch(name):
        raise click.UsageError(
            f"--name {name!r} must be NAME or OWNER/NAME, with the characters a-z 0-9 . _ -"
        )
    if name in Registry().names():
        hint = f"choose another name with --name, such as own/{name}"
        raise DshubError(f"dshub already has a dataset named {name}", hint=hint)
    manifest = output or Path(name, f"{VERSION}.toml")
    if manifest.suffix != ".toml":
        raise click.UsageError(f"-o {manifest}: the name of a manifest must end with .toml")
    for top in request.tops:
        if top.is_dir() and manifest.resolve().is_relative_to(top.resolve()):
            raise DshubError(
                f"{manifest} would be inside the data folder {top}",
                hint="run the command in another folder, or choose another path with -o",
            )
    return _Target(name, manifest)


def _write(
    outline: Outline, target: _Target, hub: Hub, *, take: bool, decode: bool
) -> dict[str, Any]:
    """Write the manifest and the archive after checking them, and return a JSON object."""
    with staging(target.manifest.parent) as folder:
        resources = _resources(outline, target, folder, hub.progress)
        sums = Counter(facts.sha256 for _, _, facts in resources.values())
        duplicates = [path.name for _, path, facts in resources.values() if sums[facts.sha256] > 1]
        if duplicates:  # for example, a training set that is also the test set by mistake
            outline.doubts.append(f"{some(duplicates)} have the same content")
        text = manifest_text(target.name, VERSION, outline, resources)
        manifest = parse(text, source=str(target.manifest))
        files = {item.key: item.path for item in resources.values()}
        if decode:
            check_all_media(manifest, files, hub.progress)
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
    """Return the resources by path in the outline, after packing class folders in `folder`."""
    keys = resource_keys(outline, target.name)
    paths = {path: path for path in keys}
    if PACKED in keys:
        total = size(sum(path.stat().st_size for _, path in outline.members))
        _screen.note(
            f"packing copies of {len(outline.members):,} files, {total}, into {target.archive}"
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
    """Check a manifest by importing and preparing its files, or by reading every row in place."""
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
    describe = f"edit {path} to describe the dataset and its license, then run `dshub check {path}`"
    load = f'load the dataset with dshub.load("{path}")'
    if not taken:
        load = f"run `dshub import {path} {files}`, then {load}"
    uploads = ", ".join(f"the files in {item}" if item.is_dir() else str(item) for item in sources)
    share = (
        f"to share the dataset, run `dshub mirror FOLDER {path}`, or upload {uploads} and add "
        "`urls` to the manifest"
    )
    return [describe, load, share]
