"""`dshub import`: take files that are on this machine already."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dshub.cli import _screen
from dshub.progress import size

if TYPE_CHECKING:
    from dshub.download.sources import Job
    from dshub.hub.hub import Hub
    from dshub.importing.datasets import ImportReport, Recognised
    from dshub.importing.files import Imported, Keep, Unlike


@click.command("import", short_help="Take files that are on this machine already.")
@click.argument("name", type=_screen.DatasetName())
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option("--copy", "keep", flag_value="copy", help="Copy files into the cache.")
@click.option("--link", "keep", flag_value="link", help="Link to them: one file, two names.")
@click.option("--reference", "keep", flag_value="reference", help="Leave them, and note where.")
@click.option("--no-prepare", is_flag=True, help="Leave the tables for later.")
@_screen.json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    paths: tuple[Path, ...],
    keep: "Keep | None",
    no_prepare: bool,
    as_json: bool,
) -> None:
    """Take the files of NAME (a dataset or family) from PATHs: files, or folders to look through.

    \b
      dshub import fashion-mnist ~/Downloads
      dshub import imagenet-1k ILSVRC2012_img_train.tar ILSVRC2012_img_val.tar devkit/
      dshub import imagenet-1k /data/imagenet

    Yours are only read. Files are recognised by their checksums, whatever they are called; a copy
    that was compressed anew is taken where the manifest knows the checksum of the content.
    Without an option a file shares its blocks with the cache where the file system can do that;
    else it is copied up to 1 GiB, and larger ones stay where they are. A file that stays must stay
    unchanged: the tables are made at once, and `dshub verify` tells.

    Other forms that the manifest knows, such as a folder for each class, are recognised by their
    names and counted. Their tables are made from where they lie, and the checksum of each file is
    kept beside the table. An interrupted import goes on where it was.
    """
    from dshub.hub.hub import Hub

    hub = Hub()
    reports = hub.import_files(name, paths, keep=keep or "auto")
    complete = all(report.complete for report in reports)
    tables = [] if no_prepare else list(_prepared(hub, name, reports))
    data = {
        "imported": [_taken(item) for report in reports for item in _imported(report)],
        "unlike": [_wrong(item) for report in reports for item in _unlike(report)],
        "layouts": [_layout(report.dataset, item) for report in reports for item in report.layouts],
        "missing": [_missing(job) for report in reports for job in report.missing],
        "splits": {report.dataset: report.splits for report in reports},
        "tables": tables,
    }
    rows = [row for report in reports for row in _rows(report)]
    _screen.answer(as_json, data, lambda: _screen.columns(rows) if rows else "")
    if not as_json:
        for path in _unknown(paths, reports):
            _screen.note(f"{path} is no file of {name}, by its checksum and by its name")
        _tell(name, reports, bool(tables))
    ctx.exit(0 if complete else 1)


def _prepared(hub: "Hub", name: str, reports: "Sequence[ImportReport]") -> Iterator[str]:
    """Make the tables of every split whose files are here."""
    from dshub.hub.request import Request

    for manifest, report in zip(hub.resolve(name).manifests, reports, strict=True):
        splits = [split for split, here in report.splits.items() if here]
        plan = hub.plan(Request.of(manifest, splits), files=False)
        yield from (str(folder) for folder in hub.run(plan).tables.values())


def _unknown(paths: Sequence[Path], reports: "Sequence[ImportReport]") -> list[Path]:
    """The files that were named and turned out to be nothing."""
    known = {item.source for report in reports for item in report.files}
    places = {item.path for report in reports for item in report.layouts}
    return [
        path
        for path in paths
        if path.is_file()
        and path not in known
        and places.isdisjoint({path.absolute(), path.absolute().parent})
        and any(report.files or report.missing for report in reports)
    ]


def _imported(report: "ImportReport") -> "list[Imported]":
    from dshub.importing.files import Imported

    return [item for item in report.files if isinstance(item, Imported)]


def _unlike(report: "ImportReport") -> "list[Unlike]":
    from dshub.importing.files import Unlike

    return [item for item in report.files if isinstance(item, Unlike)]


def _taken(item: "Imported") -> dict[str, Any]:
    return {
        "name": item.job.name,
        "dataset": item.job.dataset,
        "path": str(item.source),
        "how": item.how,
        "kept": item.kept,
    }


def _wrong(item: "Unlike") -> dict[str, Any]:
    return {
        "name": item.job.name,
        "dataset": item.job.dataset,
        "path": str(item.source),
        "reason": item.reason,
    }


def _layout(dataset: str, item: "Recognised") -> dict[str, Any]:
    return {
        "dataset": dataset,
        "layout": item.layout,
        "split": item.split,
        "path": str(item.path) if item.path else None,
        "files": item.files,
        "size": item.size,
        "faults": list(item.faults),
    }


def _missing(job: "Job") -> dict[str, Any]:
    return {
        "dataset": job.dataset,
        "name": job.name,
        "file": job.resource.name,
        "size": job.resource.size,
        "instructions": job.resource.instructions,
        "urls": list(job.resource.urls),
    }


def _rows(report: "ImportReport") -> list[list[str]]:
    """A line for each thing: what it is, its state, and the fact behind it."""
    found = [
        [
            item.job.name,
            _green("found"),
            f"{item.source}, {item.how}, {item.kept}",
        ]
        for item in _imported(report)
    ]
    for item in report.layouts:
        where = f"{item.title}, {item.path or 'files with checksums'}"
        told = f"{where}: {item.files:,} files, {size(item.size)}"
        state = _screen.colored("incomplete", "red") if item.faults else _green("found")
        found.append([item.split, state, "; ".join([told, *item.faults])])
    found += [
        [item.job.name, _screen.colored("not it", "red"), f"{item.source}, {item.reason}"]
        for item in _unlike(report)
    ]
    found += [
        [job.name, _screen.colored("missing", "yellow"), f"{job.resource.name}, {_size(job)}"]
        for job in report.missing
    ]
    return found


def _green(text: str) -> str:
    return _screen.colored(text, "green")


def _size(job: "Job") -> str:
    known = job.resource.size
    return "of a size that is not on record" if known is None else size(known)


def _tell(name: str, reports: "Sequence[ImportReport]", ready: bool) -> None:
    missing = [job for report in reports for job in report.missing]
    if missing:
        titles = ", ".join(job.title for job in missing)
        _screen.note(f"{name} is not complete; not found: {titles}")
        for told in dict.fromkeys(job.resource.instructions or "" for job in missing):
            _screen.note(f"hint: {told or _elsewhere(name)}")
    elif not any(report.files or report.layouts for report in reports):
        _screen.note(f"{name} was complete already")
    else:
        _screen.note(f"{name} is complete" + (" and ready to load" if ready else ""))


def _elsewhere(name: str) -> str:
    return f"`dshub fetch {name}` gets what is missing; `dshub info {name}` tells what it is"
