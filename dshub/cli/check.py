"""Command `dshub check`: check manifests and, with `--links`, their URLs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import click

from dshub.catalog.faults import with_lines
from dshub.catalog.manifest import Manifest
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.cli._answer import Answer, answering
from dshub.cli._readers import reader_faults
from dshub.display import flat
from dshub.download.links import Link, ask
from dshub.errors import DshubError, ManifestError, OfflineError, TransportError, UnknownNameError
from dshub.hub.hub import Hub
from dshub.progress import size
from dshub.settings import Settings


class Checked(NamedTuple):
    """The faults of a manifest, and the manifest if it could be parsed."""

    name: str
    faults: list[str]
    manifest: Manifest | None


@click.command()
@click.argument("manifests", nargs=-1, metavar="[FILE-OR-NAME]...", type=_screen.DatasetName())
@click.option("--links", is_flag=True, help="Check the URLs of files, too.")
@answering
def command(manifests: tuple[str, ...], links: bool) -> Answer:
    """Check manifests.

    \b
      dshub check my-data/1.0.0.toml
      dshub check
      dshub check mnist --links

    All faults are reported with their lines. Without arguments, the whole registry is checked. The
    exit code is 1 if a manifest has faults. --links requests the size of the file at each URL, and
    the exit code is 4 if a file has no working URL.
    """
    hub = Hub()
    names = hub.registry.expand(manifests) or hub.registry.names()
    checked = [_check(hub.registry, name) for name in names]
    data: list[dict[str, Any]] = [{"name": i.name, "faults": i.faults} for i in checked]
    lines = [line for item in checked for line in _fault_lines(item)]
    bad, dead = sum(1 for item in checked if item.faults), 0
    summary = f"{counted(len(names), 'manifest')} checked, {bad} with faults"
    if links:
        _check_links(checked, data, hub.settings)
        lines += [line for item in data if "links" in item for line in _link_lines(item)]
        dead = sum(len(item.get("dead", ())) for item in data)
        summary += f", {counted(dead, 'file')} without a working URL"
    code = TransportError.exit_code if dead else int(bad > 0)
    return Answer({"manifests": data}, "\n".join(lines), [summary], code)


def _check(registry: Registry, name: str) -> Checked:
    try:
        manifest = registry.manifest(name)
        faults = list(reader_faults(manifest))
    except UnknownNameError:
        raise
    except ManifestError as error:
        return Checked(name, [str(fault) for fault in error.faults], None)
    except DshubError as error:
        return Checked(name, [str(error)], None)
    path = registry.file(name)
    if faults and path is not None:
        faults = with_lines(faults, path.read_text(encoding="utf-8"))
    return Checked(name, [str(fault) for fault in faults], manifest)


def _fault_lines(item: Checked) -> list[str]:
    faults = [f"  {flat(fault)}" for fault in item.faults]
    return [_screen.bold(item.name), *faults] if faults else []


def _check_links(
    checked: Sequence[Checked], data: Sequence[dict[str, Any]], settings: Settings
) -> None:
    """Check every URL, and add the results to `data`.

    Raises:
        DshubError: `DSHUB_OFFLINE` is set.
    """
    if settings.offline:
        error = DshubError(
            "--links needs the network, but DSHUB_OFFLINE is set",
            hint="unset DSHUB_OFFLINE, or omit --links",
        )
        error.exit_code = OfflineError.exit_code
        raise error
    resources = [r for item in checked if item.manifest for r in item.manifest.resources.values()]
    urls = {url: None for resource in resources for url in resource.urls}
    _screen.note(f"checking {len(urls):,} URLs")
    answers = {link.url: link for link in ask(urls, timeout=settings.timeout)}
    for item, entry in zip(checked, data, strict=True):
        if item.manifest is not None:
            entry["links"] = list(_links(item.manifest, answers))
            entry["dead"] = _dead(item.manifest, entry["links"])


def _links(manifest: Manifest, answers: Mapping[str, Link]) -> Iterator[dict[str, Any]]:
    """Yield the result of each URL as a JSON object."""
    for name, resource in manifest.resources.items():
        for link in (answers[url] for url in resource.urls):
            has_sizes = link.reachable and link.total is not None and resource.size is not None
            yield {
                "resource": name,
                "url": link.url,
                "reachable": link.reachable,
                "status": link.status,
                "size": link.total,
                "expected_size": resource.size,
                "same_size": link.total == resource.size if has_sizes else None,
                "redirected_to": link.host or None,
                "reason": link.reason or None,
            }


def _is_live(link: Mapping[str, Any]) -> bool:
    return link["reachable"] and link["same_size"] is not False


def _dead(manifest: Manifest, links: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the public files of a manifest that have no working URL."""
    live = {link["resource"] for link in links if _is_live(link)}
    return [
        name
        for name, resource in manifest.resources.items()
        if name not in live and (resource.urls or resource.access == "open")
    ]


def _link_lines(item: Mapping[str, Any]) -> Iterator[str]:
    yield _screen.bold(item["name"])
    rows = []
    for link in item["links"]:
        facts = [link["reason"] or str(link["status"])]
        if link["same_size"] is False:
            facts.append(f"{size(link['size'])}, expected {size(link['expected_size'])}")
        if link["redirected_to"]:
            facts.append(f"redirects to {link['redirected_to']}")
        verdict = ("ok", "green") if _is_live(link) else ("bad", "red")
        rows.append(
            [f"  {_screen.colored(*verdict)}", link["resource"], link["url"], "; ".join(facts)]
        )
    if rows:
        yield _screen.columns(rows)
    yield from (f"  {name}: no working URL" for name in item["dead"])
