"""What the addresses of manifests answer, for `dshub check --links`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dshub.catalog.manifest import Manifest, Resource
from dshub.cli import _screen
from dshub.download.links import Link, ask
from dshub.errors import DshubError, OfflineError
from dshub.progress import size
from dshub.settings import Settings


@dataclass(frozen=True)
class Source:
    """An address of a file, and what it answered.

    Attributes:
        resource: the file's name in its manifest.
        expected: bytes of the file, or None where its manifest does not tell.
    """

    resource: str
    expected: int | None
    link: Link

    @property
    def same_size(self) -> bool | None:
        """Whether what is there is as large as the file; None where one of both is not told."""
        if self.expected is None or self.link.total is None or not self.link.reachable:
            return None
        return self.expected == self.link.total

    @property
    def live(self) -> bool:
        """Whether the file may be had from there."""
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
        """For a person: verdict, resource, address, and what is odd."""
        color = "green" if self.live else "red"
        facts = [self.link.reason or str(self.link.status)]
        if self.same_size is False:
            facts.append(f"{size(self.link.total)}, not {size(self.expected)}")
        if self.link.host:
            facts.append(f"redirects to {self.link.host}")
        mark = _screen.colored("ok" if self.live else "bad", color)
        return [f"  {mark}", self.resource, self.link.url, "; ".join(facts)]


def sources(manifests: Sequence[Manifest], settings: Settings) -> list[list[Source]]:
    """Every address of each manifest, asked.

    Raises:
        DshubError: settings forbid to go online.
    """
    if settings.offline:
        error = DshubError(
            "--links asks the servers of every address, and DSHUB_OFFLINE forbids to connect",
            hint="unset DSHUB_OFFLINE, or check without --links",
        )
        error.exit_code = OfflineError.exit_code
        raise error
    urls = [url for manifest in manifests for _, _, url in _urls(manifest)]
    _screen.note(f"asking {len(set(urls)):,} addresses")
    answers = {link.url: link for link in ask(urls, timeout=settings.timeout)}
    return [
        [Source(name, resource.size, answers[url]) for name, resource, url in _urls(manifest)]
        for manifest in manifests
    ]


def dead(manifest: Manifest, found: Sequence[Source]) -> list[str]:
    """The files of a manifest that are open to all and that none of its addresses has."""
    live = {source.resource for source in found if source.live}
    return [
        name
        for name, resource in manifest.resources.items()
        if name not in live and (resource.urls or resource.access == "open")
    ]


def _urls(manifest: Manifest) -> Iterator[tuple[str, Resource, str]]:
    for name, resource in manifest.resources.items():
        yield from ((name, resource, url) for url in resource.urls)
