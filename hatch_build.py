"""Put an index of the registry into the wheel, so that the first `dshub list` parses nothing."""

import sys
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the index to `dshub/_registry` in a wheel; a checkout has its index in the cache."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the index."""
        if version == "editable" or self.target_name != "wheel":
            return
        sys.path.insert(0, self.root)
        from dshub.catalog.sources import encode_index

        self._folder = mkdtemp()  # until the wheel is written
        for name, data in encode_index(Path(self.root, "registry")).items():
            path = Path(self._folder, name)
            path.write_bytes(data)
            build_data["force_include"][str(path)] = f"dshub/_registry/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the files that went into the wheel."""
        del version, build_data, artifact_path
        if hasattr(self, "_folder"):
            rmtree(self._folder)
