"""Recognize paths of manifests, and explain how to load other paths."""

import os
from pathlib import Path

_TABLES = {
    ".arrow": "pyarrow.feather.read_table",
    ".csv": "pyarrow.csv.read_csv",
    ".feather": "pyarrow.feather.read_table",
    ".jsonl": "pyarrow.json.read_json",
    ".parquet": "pyarrow.parquet.read_table",
}
_FILES = (*_TABLES, ".gz", ".json", ".npy", ".npz", ".tar", ".tgz", ".tsv", ".txt", ".zip")
_ROOTS = ("./", "../", "/", "~", ".\\", "..\\")


def is_manifest_path(name: str) -> bool:
    """Return True for the path of a manifest, which ends with `.toml`."""
    return name.endswith(".toml") and "://" not in name


def only_manifest(name: str) -> str:
    """Return the path of the only manifest in a folder, or an empty string."""
    manifests = _manifests(Path(os.path.expanduser(name)))  # noqa: PTH111  # without an error
    return str(manifests[0]) if name and len(manifests) == 1 else ""


def data_folder(name: str) -> Path | None:
    """Return the folder of a path such as `./photos` or `photos/`, or None if it has manifests."""
    path = Path(os.path.expanduser(name))  # noqa: PTH111  # without an error
    is_path = name.startswith(_ROOTS) or name.endswith(("/", "\\")) or path.is_absolute()
    if not is_path or not path.is_dir() or (path / "dataset.json").is_file():
        return None
    return None if _manifests(path) else path


def path_hint(name: str) -> str:
    """Return a hint for a path or URL that is not a manifest; empty for other names."""
    path = Path(os.path.expanduser(name))  # noqa: PTH111
    if "://" in name:
        return _address_hint(name)
    if name and path.is_dir():
        return _folder_hint(name, path)
    read = _TABLES.get(path.suffix.lower())
    if path.is_file():
        advice = f"`dshub new {name}` writes a manifest for your own files"
        return f'{advice}, and Dataset.from_arrow({read}("{name}")) reads it' if read else advice
    is_path = name.startswith(_ROOTS) or name.lower().endswith(_FILES)
    return "no file or folder has this path" if is_path else ""


def _address_hint(name: str) -> str:
    if name.endswith(".toml"):
        return "download the manifest, and load the path of the file"
    own = "for your own files, download them and run `dshub new FOLDER`"
    return f"for a mirror, set DSHUB_MIRROR={name} and load a dataset by name; {own}"


def _folder_hint(name: str, path: Path) -> str:
    manifests = _manifests(path)
    if manifests:
        return f"load one of the manifests in this folder: {', '.join(map(str, manifests))}"
    if next(path.glob("*/*.toml"), None):
        return f"set DSHUB_REGISTRY={name} to load the datasets of this folder by name"
    if (path / "dataset.json").is_file():
        return f'Dataset.open("{name}") opens a saved dataset'
    reads = f'Dataset.from_folder("{name}") reads folders of images or audio'
    return f"{reads}, and `dshub new {name}` writes a manifest for your own files"


def _manifests(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.toml") if path.name[0] != ".")
    except OSError:
        return []
