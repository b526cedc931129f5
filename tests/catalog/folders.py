"""Folders of manifests, for tests."""

from pathlib import Path

from dshub.catalog.sources import built_in_root

KMNIST = (built_in_root() / "kmnist" / "1.0.0.toml").read_text("utf-8")


class Store(dict[str, bytes]):
    """Indexes in memory."""

    def read(self, key: str) -> bytes | None:
        return self.get(key)

    def write(self, key: str, data: bytes) -> None:
        self[key] = data


def put(root: Path, name: str, version: str = "1.0.0", title: str = "Kuzushiji") -> Path:
    """Write a manifest."""
    path = root / name / f"{version}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = KMNIST.replace('name = "kmnist"', f'name = "{name}"')
    path.write_text(
        text.replace('"1.0.0"', f'"{version}"').replace("Kuzushiji-MNIST", title), "utf-8"
    )
    return path
