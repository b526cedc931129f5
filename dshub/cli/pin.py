"""`dshub pin`: checksums and sizes of real files, into a manifest."""

from pathlib import Path
from typing import Any

import click

from dshub.cli import _local, _screen
from dshub.errors import DshubError, StoreError
from dshub.progress import size


@click.command(short_help="Write checksums and sizes of real files into a manifest.")
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@_screen.json_option
def command(manifest: Path, paths: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:
    """Write SHA-256 and size of the files of MANIFEST, found by name in PATHs, into it.

    \b
      dshub pin my-data/1.0.0.toml ~/my-data
      dshub pin my-data/1.0.0.toml train.tar.gz --dry-run

    Files of 64 MiB and more get a checksum of each 16 MiB too, so that only damaged pieces are
    fetched again. Comments and order of the manifest stay as they are.
    """
    from dshub.publishing.pinning import file_names, pin

    names = file_names(manifest)
    measured = dict(_local.measured(names, paths))
    if not measured:
        wanted = ", ".join(sorted(set(names.values())))
        hint = "files are found by the names that the manifest gives them"
        raise DshubError(f"none of its files was found: {wanted}", hint=hint)
    try:
        changed = [] if dry_run else pin(manifest, measured)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(path=str(manifest), action="write", reason=reason) from error
    missing = sorted(names.keys() - measured.keys())
    data: dict[str, Any] = {
        "resources": {
            name: {"sha256": item.sha256, "size": item.size, "chunks": list(item.chunks)}
            for name, item in measured.items()
        },
        "changed": changed,
        "missing": missing,
        "dry_run": dry_run,
    }
    rows = [
        [name, size(item.size), item.sha256, f"{len(item.chunks)} chunks" if item.chunks else ""]
        for name, item in measured.items()
    ]
    _screen.answer(as_json, data, lambda: _screen.columns(rows, right=(1,)))
    if missing and not as_json:
        _screen.note(f"left as they are, for no file was found: {', '.join(missing)}")
