"""Which datasets a mirror is to hold, and which stay out for their licence."""

from collections.abc import Sequence
from dataclasses import dataclass

from dshub.manifest import Manifest
from dshub.manifest.licensing import denied
from dshub.registry import Registry


@dataclass(frozen=True)
class Chosen:
    """A dataset for a mirror.

    Attributes:
        name: as it was named, so that a hub finds it again.
        manifest: what it is.
        text: the bytes of its manifest's file.
    """

    name: str
    manifest: Manifest
    text: bytes


@dataclass(frozen=True)
class LeftOut:
    """A dataset that stays out of a mirror, and why."""

    name: str
    reason: str


def choose(
    registry: Registry, names: Sequence[str], *, deny: Sequence[str] = (), restricted: bool = False
) -> tuple[list[Chosen], list[LeftOut]]:
    """The datasets that some names mean, and those of them that stay out.

    Args:
        registry: where they are found.
        names: datasets, `name@version`, families, or paths of manifests.
        deny: licences that stay out; see `dshub.manifest.licensing`.
        restricted: take in what its licence forbids to pass on, too.

    Raises:
        UnknownNameError, ManifestError: a name is unknown, or a manifest has faults.
    """
    chosen, out = [], []
    for name in registry.expand(names):
        manifest = registry.manifest(name)
        reason = denied(manifest.license, deny)
        if not reason and manifest.license.redistribution == "no" and not restricted:
            reason = "its licence forbids to pass the files on (--restricted takes it in)"
        if reason:
            out.append(LeftOut(manifest.identifier, reason))
        else:
            chosen.append(Chosen(name, manifest, registry.text(name)))
    return chosen, out
