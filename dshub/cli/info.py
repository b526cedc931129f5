"""`dshub info`: everything that is known of a dataset."""

from typing import TYPE_CHECKING, Any, assert_never

import click

from dshub.catalog.features import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    NumberFeature,
    TextFeature,
)
from dshub.catalog.manifest import Limits, Manifest
from dshub.cli import _screen
from dshub.display import flat
from dshub.progress import size

if TYPE_CHECKING:
    from dshub.hub.hub import Hub


@click.command(short_help="Everything that is known of a dataset.")
@click.argument("name", type=_screen.DatasetName())
@_screen.json_option
def command(name: str, as_json: bool) -> None:
    """Columns, classes, splits, licence, sources and sizes of NAME, and what is in the cache.

    \b
      dshub info fashion-mnist
      dshub info emnist/letters --json
    """
    from dshub.download.sources import jobs
    from dshub.hub.hub import Hub

    hub = Hub()
    manifest = hub.info(name)
    fetcher = hub.fetcher()
    cached = {job.name: fetcher.path(job) is not None for job in jobs(manifest)}
    imported = _imported(hub, manifest)
    versions = [] if name.endswith(".toml") else hub.registry.versions(manifest.name)
    data = {
        "manifest": _plain(manifest),
        "digest": manifest.digest,
        "versions": versions,
        "size": manifest.size,
        "prepared_size": manifest.prepared_size(),
        "cached": cached,
        "imported": imported,
    }
    _screen.answer(as_json, data, lambda: _text(manifest, cached, imported))


def _imported(hub: "Hub", manifest: Manifest) -> list[dict[str, Any]]:
    """What of it was imported in another layout, and what is known of the files."""
    from dshub.importing.records import imports

    found: list[dict[str, Any]] = []
    for record in imports(hub.store, manifest):
        from dshub.cache.paths import TABLE_FILE
        from dshub.tables.recipe import find
        from dshub.tables.record import SUMS, Provenance, TableRecord

        folder = find(manifest, record.split, hub.store)
        made = TableRecord.read(folder / TABLE_FILE).provenance if folder else None
        sums = str(folder / SUMS) if folder and isinstance(made, Provenance) else None
        title = manifest.layouts[record.layout].title
        told = {"layout": record.layout, "split": record.split, "title": title}
        where = {"path": record.path or None, "files": record.files, "size": record.size}
        found.append({**told, **where, "sums": sums})
    return found


def _plain(manifest: Manifest) -> Any:
    import json

    from dshub.catalog.parsing import to_json

    return json.loads(to_json(manifest))


def _text(manifest: Manifest, cached: dict[str, bool], imported: list[dict[str, Any]]) -> str:
    blocks = [
        f"{_screen.bold(manifest.title)}  {_screen.dim(manifest.identifier)}\n"
        + flat(manifest.summary),
        _facts(manifest, cached),
        _splits(manifest),
        _features(manifest),
        _resources(manifest, cached),
        _layouts(manifest, imported),
        _usage(manifest),
    ]
    return "\n\n".join(filter(None, blocks))


def _layouts(manifest: Manifest, imported: list[dict[str, Any]]) -> str:
    """The forms that `dshub import` knows besides, and what was imported of them."""
    if not manifest.layouts:
        return ""
    found = {item["layout"]: item for item in imported}
    lines = []
    for name, layout in manifest.layouts.items():
        lines.append(f"  {layout.split}: {flat(layout.title)}  {_screen.dim(name)}")
        if name in found:
            item = found[name]
            where = item["path"] or "files with checksums"
            lines.append(
                f"    imported from {flat(where)}, {item['files']:,} files, {size(item['size'])}"
            )
            if item["sums"]:
                lines.append(f"    their checksums: {item['sums']}")
    return _screen.bold("Other forms that can be imported") + "\n" + "\n".join(lines)


def _facts(manifest: Manifest, cached: dict[str, bool]) -> str:
    there = sum(cached.values())
    state = "complete" if there == len(cached) else f"{there} of {len(cached)} files"
    rows = [
        ["task", manifest.task],
        ["homepage", manifest.homepage],
        ["licence", _license(manifest)],
        *([["terms", manifest.license.terms]] if manifest.license.terms else []),
        ["download", size(manifest.size)],
        ["prepared", size(manifest.prepared_size())],
        ["in the cache", state],
    ]
    return _screen.columns([[_screen.dim(key), value] for key, value in rows])


def _license(manifest: Manifest) -> str:
    terms = manifest.license
    parts = [terms.spdx or "not stated", f"redistribution: {terms.redistribution}"]
    parts += [text for text in (terms.source, terms.note) if text]
    return "; ".join(parts)


def _splits(manifest: Manifest) -> str:
    rows = []
    for name, split in manifest.splits.items():
        without = ", ".join(split.without)
        rows.append([f"  {name}", f"{split.rows:,} rows", f"without {without}" if without else ""])
    return _screen.bold("Splits") + "\n" + _screen.columns(rows, right=(1,))


def _features(manifest: Manifest) -> str:
    rows = [[f"  {name}", _feature(item)] for name, item in manifest.features.items()]
    width = _screen.terminal_width()
    longest = max(len(row[0]) for row in rows)
    rows = [[name, _screen.fitted(text, max(width - longest - 2, 20))] for name, text in rows]
    return _screen.bold("Columns") + "\n" + _screen.columns(rows)


def _feature(feature: Feature) -> str:
    match feature:
        case LabelFeature():
            apart = "; " if any("," in name for name in feature.names) else ", "
            return f"label, {len(feature.names):,} classes: {apart.join(feature.names)}"
        case ImageFeature():
            form = feature.dtype if feature.encoding == "raw" else _FORMS[feature.encoding]
            return _words("image", _shape(feature.shape), form)
        case AudioFeature():
            channels = f"{feature.channels} channels" if feature.channels > 1 else ""
            return _words("audio", f"{feature.rate:,} Hz", channels, feature.encoding.upper())
        case NumberFeature():
            return _words("number", _shape(feature.shape), feature.dtype)
        case ListFeature():
            return f"list of {_feature(feature.of)}"
        case TextFeature():
            return "text"
        case _:
            assert_never(feature)


_FORMS = {"jpeg": "JPEG", "png": "PNG", "any": "files of several kinds"}


def _shape(lengths: tuple[int, ...]) -> str:
    return " x ".join(map(str, lengths))


def _words(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _resources(manifest: Manifest, cached: dict[str, bool]) -> str:
    lines = []
    for name, item in manifest.resources.items():
        state = "cached" if cached.get(name) else "not cached"
        lines.append(f"  {name}  {_screen.dim(f'{size(item.size)}, {state}')}")
        lines.append(f"    {_screen.dim(str(item.digest))}")
        lines += [f"    {url}" for url in item.urls]
        lines += [f"    {_screen.dim(text)}" for text in _limits(item.limits)]
    told = [item.instructions for item in manifest.resources.values() if item.instructions]
    lines += [_screen.lines(text, indent="  ") for text in dict.fromkeys(told)]
    return _screen.bold("Files") + "\n" + "\n".join(lines)


def _limits(limits: Limits) -> list[str]:
    """What a file may unpack to, where its manifest says so."""
    if limits == Limits():
        return []
    told = f"{size(limits.unpacked)}, {limits.members:,} members, {limits.ratio:,} times its size"
    return [f"unpacks to at most {told}"]


def _usage(manifest: Manifest) -> str:
    split = next(iter(manifest.splits))
    code = f'  from dshub import load\n  ds = load("{manifest.name}", split="{split}")'
    return _screen.bold("Use") + "\n" + code
