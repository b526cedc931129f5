"""Write a documentation page per dataset, and an index of all datasets."""

from pathlib import Path

from dshub import Feature, Manifest, Registry
from dshub.catalog.citations import bibtex
from dshub.catalog.features import LabelFeature, describe
from dshub.catalog.names import natural_order
from dshub.progress import size

KINDS = {
    "image": "Images",
    "text": "Text",
    "question": "Text",
    "token": "Text",
    "language": "Text",
    "audio": "Audio",
    "tabular": "Tables",
    "ood": "Images",
}


def write(folder: Path) -> None:
    """Write `index.md` and a page per dataset into `folder`, if they changed."""
    registry = Registry()
    manifests = [registry.manifest(name) for name in sorted(registry.names(), key=natural_order)]
    pages = {f"{_slug(manifest)}.md": _page(manifest) for manifest in manifests}
    pages["index.md"] = _index(manifests)
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _slug(manifest: Manifest) -> str:
    return manifest.name.replace("/", "-")


def _index(manifests: list[Manifest]) -> str:
    kinds: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        kinds.setdefault(KINDS[manifest.task.partition("-")[0]], []).append(manifest)
    introduction = (
        f"dshub includes {len(manifests)} datasets. In a terminal, `dshub list` lists them, and "
        "`dshub search WORD` searches their names, summaries and class names.\n"
    )
    parts = ["# Datasets\n", introduction]
    for kind in sorted(kinds):
        parts.append(f"## {kind}\n\n| dataset | content | rows | download |")
        parts.append("|---|---|---:|---:|")
        parts += [
            f"| [{item.name}]({_slug(item)}.md) | {_cell(item.summary)} | {_rows(item):,} "
            f"| {size(item.size)} |"
            for item in kinds[kind]
        ]
        parts.append("")
    slugs = "\n".join(map(_slug, manifests))
    parts.append(f"```{{toctree}}\n:hidden:\n\n{slugs}\n```\n")
    return "\n".join(parts)


def _page(manifest: Manifest) -> str:
    split = next(iter(manifest.splits))
    license_ = manifest.license
    facts = [
        ("Task", manifest.task),
        ("Download", size(manifest.size)),
        ("Prepared", size(manifest.prepared_size())),
        ("License", license_.spdx or "none stated"),
        ("Redistribution", license_.redistribution),
        ("Homepage", f"<{manifest.homepage}>"),
    ]
    parts = [
        f"# {manifest.title}\n",
        f"{_text(manifest.summary)}\n",
        "```python\nfrom dshub import load\n",
        f'ds = load("{manifest.name}", split="{split}")\n```\n',
        f"```console\n$ dshub fetch {manifest.name}\n```\n",
        *(f"- **{key}:** {_cell(value)}" for key, value in facts),
        "",
    ]
    parts += [f"{_text(text)}\n" for text in (license_.note, license_.terms) if text]
    parts.append("## Splits\n\n| split | rows |\n|---|---:|")
    parts += [f"| `{name}` | {item.rows:,} |" for name, item in manifest.splits.items()]
    parts.append("\n## Columns\n\n| column | content |\n|---|---|")
    parts += [
        f"| `{name}` | {_cell(_describe(item))} |" for name, item in manifest.features.items()
    ]
    if manifest.citations:
        entries = "\n\n".join(bibtex(item) for item in manifest.citations)
        parts.append(f"\n## Citation\n\n```bibtex\n{entries}\n```")
    return "\n".join(parts) + "\n"


def _describe(feature: Feature) -> str:
    label = getattr(feature, "of", feature)
    if not isinstance(label, LabelFeature):
        return describe(feature)
    names = ", ".join(label.names[:10]) + (", …" if len(label.names) > 10 else "")
    return f"{describe(feature)}: {names}"


def _rows(manifest: Manifest) -> int:
    return sum(split.rows for split in manifest.splits.values())


def _text(text: str) -> str:
    """Escape Markdown markup."""
    for sign in "\\`*_<[":
        text = text.replace(sign, f"\\{sign}")
    return text


def _cell(text: str) -> str:
    text = text if text.startswith("<http") else _text(text)
    return text.replace("|", "\\|")
