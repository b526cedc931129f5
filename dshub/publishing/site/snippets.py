"""The lines of code that load a dataset, for each framework."""

import keyword
import re
from dataclasses import dataclass

from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature
from dshub.catalog.manifest import Manifest

BATCH = 128

_TAKEN = {"load", "load_data", "resize", "batch", "batches", "all", "row", "column", "values"}


@dataclass(frozen=True)
class Snippet:
    """Lines to copy.

    Attributes:
        key: of the framework, for addresses.
        title: its name.
        code: the lines.
    """

    key: str
    title: str
    code: str


def snippets(manifest: Manifest) -> list[Snippet]:
    """Lines for NumPy, PyTorch, TensorFlow, Keras (where (x, y) are known) and the shell."""
    found = [
        Snippet("numpy", "NumPy", _numpy(manifest)),
        Snippet("torch", "PyTorch", _torch(manifest)),
        Snippet("tf", "TensorFlow", _tf(manifest)),
    ]
    if manifest.supervised is not None:
        found.append(Snippet("keras", "Keras", _keras(manifest)))
    return [*found, Snippet("shell", "Command line", _shell(manifest))]


def _numpy(manifest: Manifest) -> str:
    split = _split(manifest)
    first = next(iter(manifest.split_features(split)))
    return _program(
        manifest,
        f"row = {_variable(split)}[0]",
        f'column = {_variable(split)}["{first}"]',
        "",
        f"for batch in {_variable(split)}.{_batches(manifest)}:",
        f'    values = batch["{first}"]',
    )


def _torch(manifest: Manifest) -> str:
    return _in_framework(manifest, "torch", ', layout="chw"' if _pictures(manifest) else "")


def _tf(manifest: Manifest) -> str:
    return _in_framework(manifest, "tf", "")


def _in_framework(manifest: Manifest, verb: str, options: str) -> str:
    lines = [f'    {_variable(name)} = batch["{name}"]' for name in _two(manifest)]
    made = f"batches = {_variable(_split(manifest))}.{_batches(manifest, options)}"
    return _program(manifest, made, f"for batch in batches.{verb}():", *lines)


def _keras(manifest: Manifest) -> str:
    x, y = manifest.supervised or ("", "")
    kinds = (manifest.features[x], manifest.features[y])
    both = all(
        name in manifest.splits and not {x, y} & set(manifest.splits[name].without)
        for name in ("train", "test")
    )
    if both and all(map(_fits_memory, kinds)):
        return "\n".join(
            [
                "from dshub import load_data",
                "",
                f'train, test = load_data("{manifest.name}")',
                "(x_train, y_train), (x_test, y_test) = train, test",
                "",
                "# model.fit(x_train, y_train)",
            ]
        )
    split = _split(manifest)
    made = f"batches = {_variable(split)}.{_batches(manifest, ', supervised=True')}"
    return _program(manifest, made, "", "# model.fit(batches.tf(), shuffle=False)")


def _shell(manifest: Manifest) -> str:
    name, manual = manifest.name, [r for r in manifest.resources.values() if r.access == "manual"]
    got = f"dshub import {name} FILE-OR-FOLDER" if manual else f"dshub fetch {name}"
    return "\n".join([got, f"dshub info {name}", f"dshub preview {name}", f"dshub verify {name}"])


def _program(manifest: Manifest, *lines: str) -> str:
    split, imported = _split(manifest), ["from dshub import load"]
    if _vary(manifest):
        imported.append("from dshub.loading.transforms import CenterCrop, Resize")
    loaded = f'{_variable(split)} = load("{manifest.name}", split="{split}")'
    before = ["", "resize = [Resize(256), CenterCrop(224)]"] if _vary(manifest) else []
    return "\n".join([*imported, *before, "", loaded, *lines])


def _batches(manifest: Manifest, options: str = "") -> str:
    if _vary(manifest):  # one option a line: more would not fit
        return f"batches(\n    {BATCH}, shuffle=True, transform=resize{options}\n)"
    return f"batches({BATCH}, shuffle=True{options})"


def _split(manifest: Manifest) -> str:
    return "train" if "train" in manifest.splits else next(iter(manifest.splits))


def _variable(name: str) -> str:
    """What a split or a column can be called in a program."""
    plain = re.sub(r"\W", "_", name)
    if plain in _TAKEN or keyword.iskeyword(plain) or not plain.isidentifier():
        return f"{plain}_" if f"{plain}_".isidentifier() else f"_{plain}"
    return plain


def _two(manifest: Manifest) -> list[str]:
    """The columns that matter: the supervised pair where the split has it, else the first two."""
    there = list(manifest.split_features(_split(manifest)))
    pair = manifest.supervised
    return [*pair] if pair is not None and set(pair) <= set(there) else there[:2]


def _pictures(manifest: Manifest) -> bool:
    return any(isinstance(item, ImageFeature) for item in manifest.features.values())


def _vary(manifest: Manifest) -> bool:
    """Whether pictures differ in size, so that a batch needs them resized."""
    features = manifest.features.values()
    return any(isinstance(item, ImageFeature) and not item.shape for item in features)


def _fits_memory(feature: Feature) -> bool:
    """Whether all rows can be one array."""
    if isinstance(feature, ImageFeature):
        return bool(feature.shape)
    return isinstance(feature, LabelFeature) or (
        not isinstance(feature, AudioFeature) and bool(getattr(feature, "dtype", ""))
    )
