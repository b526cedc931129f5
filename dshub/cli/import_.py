"""Command `dshub import`: import files that are already on this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dshub.cli import _screen
from dshub.cli._answer import Answer, answering, plain_file
from dshub.hub.hub import Hub
from dshub.hub.request import Request
from dshub.importing.datasets import ImportReport
from dshub.importing.files import Imported, Keep, Mismatch
from dshub.progress import size

FOUND = _screen.colored("found", "green")


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
@click.option(
    "--reference", "keep", flag_value="reference", help="Use files in place, without a copy."
)
@click.option("--no-prepare", is_flag=True, help="Do not prepare tables.")
@answering
def command(name: str, paths: tuple[Path, ...], keep: Keep | None, no_prepare: bool) -> Answer:
    """Import files that are already on this machine.

    \b
      dshub import fashion-mnist ~/Downloads
      dshub import imagenet-1k ILSVRC2012_img_train.tar ILSVRC2012_img_val.tar devkit/
      dshub import imagenet-1k /data/imagenet

    PATHs are files, or folders to search. Files of NAME (a dataset or family) are recognized by
    checksum, under any file name. Recompressed files match if the manifest has a checksum of their
    content. Your files are never changed. By default, files share disk blocks with the cache if the
    file system supports it. Otherwise, files up to 1 GiB are copied, and larger ones are used in
    place. Do not change files that are used in place; `dshub verify` reports changes.

    Other layouts in the manifest, such as one folder per class, are recognized by file names.
    Tables are prepared from these files in place, and checksums of the files are stored next to the
    tables. Run the command again to resume an interrupted import.
    """
    hub = Hub()
    reports = hub.import_files(name, paths, keep=keep or "auto")
    tables = [] if no_prepare else list(_prepared(hub, name, reports))
    rows = [row for report in reports for row in _rows(report)]
    unrecognized = [
        f"{path} is not a file of {name}: neither its checksum nor its name matches"
        for path in _unrecognized(paths, reports)
    ]
    complete = all(report.complete for report in reports)
    notes = [*unrecognized, *_notes(name, reports, ready=bool(tables))]
    return Answer(
        _data(reports, tables), _screen.columns(rows) if rows else "", notes, 0 if complete else 1
    )


def _prepared(hub: Hub, name: str, reports: Sequence[ImportReport]) -> Iterator[str]:
    """Prepare every split with complete files, and yield the folder of each table."""
    for manifest, report in zip(hub.resolve(name).manifests, reports, strict=True):
        splits = [split for split, is_complete in report.splits.items() if is_complete]
        plan = hub.plan(Request.of(manifest, splits), files=False)
        yield from (str(folder) for folder in hub.run(plan).tables.values())


def _unrecognized(paths: Sequence[Path], reports: Sequence[ImportReport]) -> list[Path]:
    """Return the files among the arguments that do not belong to the dataset."""
    recognized = {item.source for report in reports for item in report.files}
    layouts = {item.path for report in reports for item in report.layouts}
    return [
        path
        for path in paths
        if path.is_file()
        and path not in recognized
        and layouts.isdisjoint({path.absolute(), path.absolute().parent})
        and any(report.files or report.missing for report in reports)
    ]


def _data(reports: Sequence[ImportReport], tables: Sequence[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"imported": [], "unlike": []}
    for item in (item for report in reports for item in report.files):
        facts = {**plain_file(item.job), "path": str(item.source)}
        if isinstance(item, Imported):
            data["imported"].append({**facts, "how": item.how, "kept": item.kept})
        else:
            data["unlike"].append({**facts, "reason": item.reason})
    layouts = [
        {"dataset": report.dataset, **asdict(item), "path": item.path and str(item.path)}
        for report in reports
        for item in report.layouts
    ]
    missing = [
        {**plain_file(job), "instructions": job.resource.instructions}
        for report in reports
        for job in report.missing
    ]
    splits = {report.dataset: report.splits for report in reports}
    return {**data, "layouts": layouts, "missing": missing, "splits": splits, "tables": tables}


def _rows(report: ImportReport) -> Iterator[list[str]]:
    """Yield the name, state and details of each file and layout."""
    for item in report.files:
        if isinstance(item, Imported):
            yield [item.job.name, FOUND, f"{item.source}, {item.how}, {item.kept}"]
    for layout in report.layouts:
        where = f"{layout.title}, {layout.path or 'files with checksums'}"
        fact = f"{where}: {layout.files:,} files, {size(layout.size)}"
        state = _screen.colored("incomplete", "red") if layout.faults else FOUND
        yield [layout.split, state, "; ".join([fact, *layout.faults])]
    for item in report.files:
        if isinstance(item, Mismatch):
            state = _screen.colored("mismatch", "red")
            yield [item.job.name, state, f"{item.source}, {item.reason}"]
    for job in report.missing:
        state = _screen.colored("missing", "yellow")
        yield [job.name, state, f"{job.resource.name}, size {size(job.resource.size)}"]


def _notes(name: str, reports: Sequence[ImportReport], *, ready: bool) -> Iterator[str]:
    missing = [job for report in reports for job in report.missing]
    if missing:
        titles = ", ".join(job.title for job in missing)
        yield f"{name} is incomplete; not found: {titles}"
        download = f"run `dshub fetch {name}` to download the missing files"
        steps = dict.fromkeys(job.resource.instructions or download for job in missing)
        yield from (f"hint: {step}" for step in steps)
    elif not any(report.files or report.layouts for report in reports):
        yield f"{name} was already complete"
    else:
        yield f"{name} is complete" + (" and ready to load" if ready else "")
