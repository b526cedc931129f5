"""Write manifests to folders and index them in memory."""

from pathlib import Path

from dshub.catalog.sources import built_in_root

KMNIST = (built_in_root() / "kmnist" / "1.0.0.toml").read_text("utf-8")


class Store(dict[str, bytes]):
    """An in-memory store of indexes."""

    def read(self, key: str) -> bytes | None:
        return self.get(key)

    def write(self, key: str, data: bytes) -> None:
        self[key] = data


def put(root: Path, name: str, version: str = "1.0.0", title: str = "Kuzushiji") -> Path:
    """Write a manifest and return its path."""
    path = root / name / f"{version}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = KMNIST.replace('name = "kmnist"', f'name = "{name}"')
    path.write_text(
        text.replace('"1.0.0"', f'"{version}"').replace("Kuzushiji-MNIST", title), "utf-8"
    )
    return path
