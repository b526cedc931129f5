"""`dshub check`: check manifests, and with `--links` their addresses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from dshub.catalog.faults import with_lines
from dshub.catalog.manifest import Manifest, Resource
from dshub.catalog.registry import Registry
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.cli._readers import reader_faults
from dshub.display import flat
from dshub.download.links import Link, ask
from dshub.errors import (
    DshubError,
    ManifestError,
    OfflineError,
    TransportError,
    UnknownNameError,
)
from dshub.hub.hub import Hub
from dshub.progress import size
from dshub.settings import Settings

Result = tuple[str, list[str], Manifest | None]
"""A name, its faults, and its manifest if that could be parsed."""


@click.command()
@click.argument("manifests", nargs=-1, metavar="[FILE-OR-NAME]...", type=_screen.DatasetName())
@click.option("--links", is_flag=True, help="Check addresses over the network too.")
@answering
def command(manifests: tuple[str, ...], links: bool) -> Answer:
    """Check manifests.

    \b
      dshub check my-data/1.0.0.toml
      dshub check
      dshub check mnist --links

    Every fault is reported with its line, without a network. Without names, the whole registry is
    checked. --links asks each address for the size of its file; the exit code is 4 if a file has
    no address that works.
    """
    hub = Hub()
    names = hub.registry.expand(manifests) or hub.registry.names()
    results = [_result(hub.registry, name) for name in names]
    bad = sum(1 for _, faults, _ in results if faults)
    listed: list[dict[str, Any]] = [{"name": name, "faults": faults} for name, faults, _ in results]
    blocks, dead, summary = [_text(results)], 0, f"{len(results)} checked, {bad} with faults"
    if links:
        more, dead = _asked(hub, results, listed)
        blocks.append(more)
        summary += f", {dead} files without an address that works"
    code = TransportError.exit_code if dead else int(bad > 0)
    return Answer({"manifests": listed}, "\n".join(filter(None, blocks)), [summary], code)


def _result(registry: Registry, name: str) -> Result:
    try:
        manifest = registry.manifest(name)
        faults = list(reader_faults(manifest))
    except UnknownNameError:
        raise
    except ManifestError as error:
        return name, [str(fault) for fault in error.faults], None
    except DshubError as error:
        return name, [str(error)], None
    path = registry.file(name)
    if faults and path is not None:
        faults = with_lines(faults, path.read_text(encoding="utf-8"))
    return name, [str(fault) for fault in faults], manifest


def _text(results: list[Result]) -> str:
    lines = []
    for name, faults, _ in results:
        if faults:
            lines.append(_screen.bold(name))
            lines += [f"  {flat(fault)}" for fault in faults]
    return "\n".join(lines)


def _asked(hub: Hub, results: list[Result], data: list[dict[str, Any]]) -> tuple[str, int]:
    """The answers of addresses as text, and the number of files without one that works.

    Adds the answers to `data`.
    """
    pairs = [(item[2], place) for item, place in zip(results, data, strict=True) if item[2]]
    lines, total = [], 0
    answers = _sources([manifest for manifest, _ in pairs], hub.settings)
    for (manifest, place), sources in zip(pairs, answers, strict=True):
        dead = _dead(manifest, sources)
        place["links"] = [source.plain() for source in sources]
        place["dead"] = dead
        total += len(dead)
        lines.append(_screen.bold(place["name"]))
        if sources:
            lines.append(_screen.columns([source.row() for source in sources]))
        lines += [f"  {name}: no address works" for name in dead]
    return "\n".join(lines), total


@dataclass(frozen=True)
class Source:
    """An address of a file, and its answer.

    Attributes:
        resource: the file's name in its manifest.
        expected: bytes of the file, or None if its manifest does not say.
    """

    resource: str
    expected: int | None
    link: Link

    @property
    def same_size(self) -> bool | None:
        """Whether the address has as many bytes as the file; None if either is unknown."""
        if self.expected is None or self.link.total is None or not self.link.reachable:
            return None
        return self.expected == self.link.total

    @property
    def live(self) -> bool:
        """Whether the file can be downloaded from there."""
        return self.link.reachable and self.same_size is not False

    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "resource": self.resource,
            "url": self.link.url,
            "reachable": self.link.reachable,
            "status": self.link.status,
            "size": self.link.total,
            "same_size": self.same_size,
            "redirected_to": self.link.host or None,
            "reason": self.link.reason or None,
        }

    def row(self) -> list[str]:
        """For a person: verdict, resource, address, and remarks."""
        color = "green" if self.live else "red"
        facts = [self.link.reason or str(self.link.status)]
        if self.same_size is False:
            facts.append(f"{size(self.link.total)}, not {size(self.expected)}")
        if self.link.host:
            facts.append(f"redirects to {self.link.host}")
        mark = _screen.colored("ok" if self.live else "bad", color)
        return [f"  {mark}", self.resource, self.link.url, "; ".join(facts)]


def _sources(manifests: Sequence[Manifest], settings: Settings) -> list[list[Source]]:
    """The addresses of each manifest, with their answers.

    Raises:
        DshubError: settings forbid network access.
    """
    if settings.offline:
        error = DshubError(
            "--links needs the network, and DSHUB_OFFLINE is set",
            hint="unset DSHUB_OFFLINE, or check without --links",
        )
        error.exit_code = OfflineError.exit_code
        raise error
    urls = [url for manifest in manifests for _, _, url in _urls(manifest)]
    _screen.note(f"checking {len(set(urls)):,} addresses")
    answers = {link.url: link for link in ask(urls, timeout=settings.timeout)}
    return [
        [Source(name, resource.size, answers[url]) for name, resource, url in _urls(manifest)]
        for manifest in manifests
    ]


def _dead(manifest: Manifest, asked: Sequence[Source]) -> list[str]:
    """The publicly available files of a manifest that no address serves."""
    live = {source.resource for source in asked if source.live}
    return [
        name
        for name, resource in manifest.resources.items()
        if name not in live and (resource.urls or resource.access == "open")
    ]


def _urls(manifest: Manifest) -> Iterator[tuple[str, Resource, str]]:
    for name, resource in manifest.resources.items():
        yield from ((name, resource, url) for url in resource.urls)
