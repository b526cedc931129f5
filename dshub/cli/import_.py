"""`dshub import`: import files that are already on this machine."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.download.sources import Job
from dshub.hub.hub import Hub
from dshub.hub.request import Request
from dshub.importing.datasets import ImportReport, Recognized
from dshub.importing.files import Imported, Keep, Mismatch
from dshub.progress import size


@click.command("import")
@click.argument("name", type=_screen.DatasetName())
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option("--copy", "keep", flag_value="copy", help="Copy files into the cache.")
@click.option("--link", "keep", flag_value="link", help="Hard-link files into the cache.")
@click.option("--reference", "keep", flag_value="reference", help="Use files where they are.")
@click.option("--no-prepare", is_flag=True, help="Do not prepare tables.")
@answering
def command(name: str, paths: tuple[Path, ...], keep: Keep | None, no_prepare: bool) -> Answer:
    """Import files that are already on this machine.

    \b
      dshub import fashion-mnist ~/Downloads
      dshub import imagenet-1k ILSVRC2012_img_train.tar ILSVRC2012_img_val.tar devkit/
      dshub import imagenet-1k /data/imagenet

    Files of NAME (a dataset or family) are found by checksum in PATHs, files or folders to search,
    whatever their names. A recompressed copy matches if the manifest has a checksum of the content.
    Your files are only read. By default, a file shares its blocks with the cache if the file
    system supports that; otherwise it is copied up to 1 GiB, and used where it is if larger. Do
    not change a file that is used where it is: `dshub verify` reports it.

    Other layouts in the manifest, such as a folder for each class, are found by their file names
    and counted. Their tables are made from the files where they are, and checksums of the files
    are kept beside the table. An interrupted import resumes when run again.
    """
    hub = Hub()
    reports = hub.import_files(name, paths, keep=keep or "auto")
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
    strangers = [
        f"{path} is not a file of {name}: neither its checksum nor its name matches"
        for path in _unknown(paths, reports)
    ]
    complete = all(report.complete for report in reports)
    notes = [*strangers, *_remarks(name, reports, ready=bool(tables))]
    return Answer(data, _screen.columns(rows) if rows else "", notes, 0 if complete else 1)


def _prepared(hub: Hub, name: str, reports: Sequence[ImportReport]) -> Iterator[str]:
    """Prepare every split whose files are here."""
    for manifest, report in zip(hub.resolve(name).manifests, reports, strict=True):
        splits = [split for split, here in report.splits.items() if here]
        plan = hub.plan(Request.of(manifest, splits), files=False)
        yield from (str(folder) for folder in hub.run(plan).tables.values())


def _unknown(paths: Sequence[Path], reports: Sequence[ImportReport]) -> list[Path]:
    """Files in the call that match nothing."""
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


def _imported(report: ImportReport) -> list[Imported]:
    return [item for item in report.files if isinstance(item, Imported)]


def _unlike(report: ImportReport) -> list[Mismatch]:
    return [item for item in report.files if isinstance(item, Mismatch)]


def _taken(item: Imported) -> dict[str, Any]:
    return {
        "name": item.job.name,
        "dataset": item.job.dataset,
        "path": str(item.source),
        "how": item.how,
        "kept": item.kept,
    }


def _wrong(item: Mismatch) -> dict[str, Any]:
    return {
        "name": item.job.name,
        "dataset": item.job.dataset,
        "path": str(item.source),
        "reason": item.reason,
    }


def _layout(dataset: str, item: Recognized) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "layout": item.layout,
        "split": item.split,
        "path": str(item.path) if item.path else None,
        "files": item.files,
        "size": item.size,
        "faults": list(item.faults),
    }


def _missing(job: Job) -> dict[str, Any]:
    return {
        "dataset": job.dataset,
        "name": job.name,
        "file": job.resource.name,
        "size": job.resource.size,
        "instructions": job.resource.instructions,
        "urls": list(job.resource.urls),
    }


def _rows(report: ImportReport) -> list[list[str]]:
    """A line for each file or layout: name, state and detail."""
    rows = [
        [item.job.name, _green("found"), f"{item.source}, {item.how}, {item.kept}"]
        for item in _imported(report)
    ]
    for item in report.layouts:
        where = f"{item.title}, {item.path or 'files with checksums'}"
        fact = f"{where}: {item.files:,} files, {size(item.size)}"
        state = _screen.colored("incomplete", "red") if item.faults else _green("found")
        rows.append([item.split, state, "; ".join([fact, *item.faults])])
    rows += [
        [item.job.name, _screen.colored("mismatch", "red"), f"{item.source}, {item.reason}"]
        for item in _unlike(report)
    ]
    rows += [
        [job.name, _screen.colored("missing", "yellow"), f"{job.resource.name}, {_size(job)}"]
        for job in report.missing
    ]
    return rows


def _green(text: str) -> str:
    return _screen.colored(text, "green")


def _size(job: Job) -> str:
    known = job.resource.size
    return "size unknown" if known is None else size(known)


def _remarks(name: str, reports: Sequence[ImportReport], *, ready: bool) -> Iterator[str]:
    missing = [job for report in reports for job in report.missing]
    if missing:
        titles = ", ".join(job.title for job in missing)
        yield f"{name} is incomplete; not found: {titles}"
        other = f"`dshub fetch {name}` downloads missing files; `dshub info {name}` shows details"
        steps = dict.fromkeys(job.resource.instructions or other for job in missing)
        yield from (f"hint: {step}" for step in steps)
    elif not any(report.files or report.layouts for report in reports):
        yield f"{name} was complete already"
    else:
        yield f"{name} is complete" + (" and ready to load" if ready else "")
