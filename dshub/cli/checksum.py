"""Command `dshub checksum`: write checksums and sizes of files into a manifest."""

from dataclasses import asdict
from pathlib import Path

import click

from dshub.cache.disk import disk_faults
from dshub.cli import _local, _screen
from dshub.cli._answer import Answer, answering
from dshub.errors import DshubError
from dshub.progress import size
from dshub.publishing.measuring import file_names, write_checksums


@click.command()
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@answering
def command(manifest: Path, paths: tuple[Path, ...], dry_run: bool) -> Answer:
    """Write checksums and sizes of files into a manifest.

    \b
      dshub checksum my-data/1.0.0.toml ~/my-data
      dshub checksum my-data/1.0.0.toml train.tar.gz --dry-run

    Files in PATHs are matched with resources in MANIFEST by name. Files of at least 64 MiB also get
    a checksum for each 16 MiB, so that only damaged chunks are downloaded again. The order and
    comments of the manifest are preserved.
    """
    names = file_names(manifest)
    measured = {name: _local.measure(path) for name, path in _local.find(names, paths).items()}
    if not measured:
        expected = ", ".join(sorted(set(names.values())))
        hint = "pass the folder that contains the files, which are matched by name"
        raise DshubError(f"found none of the files of {manifest}: {expected}", hint=hint)
    with disk_faults(manifest, "write", hint="make the manifest writable"):
        changed = [] if dry_run else write_checksums(manifest, measured)
    missing = sorted(names.keys() - measured.keys())
    data = {
        "resources": {name: asdict(item) for name, item in measured.items()},
        "changed": changed,
        "missing": missing,
        "dry_run": dry_run,
    }
    rows = [
        [name, size(item.size), item.sha256, f"{len(item.chunks)} chunks" if item.chunks else ""]
        for name, item in measured.items()
    ]
    notes = [f"not updated, because files are missing: {', '.join(missing)}"] if missing else []
    return Answer(data, _screen.columns(rows, right=(1,)), notes)
