"""Put an index of the registry into the wheel, so that the first `dshub list` parses nothing."""

import sys
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds `dshub/_registry/index.json` to a wheel; a checkout has its index in the cache."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the index."""
        if version == "editable" or self.target_name != "wheel":
            return
        sys.path.insert(0, self.root)
        from dshub.catalog.index import SHIPPED
        from dshub.catalog.sources import encode_index

        path = Path(mkdtemp(), SHIPPED)  # until the wheel is written
        path.write_bytes(encode_index(Path(self.root, "registry")))
        build_data["force_include"][str(path)] = f"dshub/_registry/{SHIPPED}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the file that went into the wheel."""
        del version, artifact_path
        for path, target in build_data["force_include"].items():
            if target.endswith("index.json"):
                rmtree(Path(path).parent)
