"""Parse faulty manifests."""

import pytest

from dshub.catalog.faults import Fault
from dshub.catalog.parsing import parse
from dshub.catalog.sources import built_in_root
from dshub.errors import ManifestError

GOOD = (built_in_root() / "fashion-mnist" / "1.0.0.toml").read_text(encoding="utf-8")
ADDRESS = next(part for part in GOOD.split('"') if part.startswith("https://") and ".gz" in part)


def faults_of(text: str) -> dict[str, Fault]:
    """Parse a faulty manifest and return its faults by place."""
    with pytest.raises(ManifestError) as caught:
        parse(text, source="own.toml")
    faults = [fault for fault in caught.value.faults if isinstance(fault, Fault)]
    assert len(faults) == len(caught.value.faults)
    lines = {line.strip() for line in str(caught.value).splitlines()}
    assert {str(fault).strip() for fault in faults} <= lines
    return {fault.place: fault for fault in faults}
