"""Test code lines that users of torchvision, TFDS, Hugging Face and Keras know.

The lines come from the documentation and the issues of these libraries. Each result is compared
with plain NumPy and Python.
"""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import dshub
from dshub import Dataset, Hub, Loader
from dshub.catalog.features import LabelFeature, NumberFeature
from dshub.datasets.splits import Splits
from dshub.errors import UnknownNameError

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
IMAGES = np.random.default_rng(0).integers(0, 255, (10, 4, 4, 1)).astype(np.uint8)
LABELS = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 0])
LENGTHS = "[*map(len, WORDS)]"
ROWS = 30  # synthetic rows per split

# pairs of a line and an expression for its expected value
PROPERTIES = [
    # datasets
    ("ds.column_names", "['image', 'label', 'text']"),
    ("ds.num_rows", "10"),
    ("ds.num_columns", "3"),
    ("ds.shape", "(10, 3)"),
    ("ds.features['label'].names", "('cat', 'dog')"),
    ("ds.features['label'].num_classes", "2"),
    ("ds.features['label'].int2str(1)", "'dog'"),
    ("ds.features['label'].int2str([0, 1])", "['cat', 'dog']"),
    ("ds.features['label'].str2int('dog')", "1"),
    ("mnist.info.description", "manifest.summary"),
    ("mnist.homepage", "manifest.homepage"),
    ("mnist.license", "manifest.license.spdx or ''"),
    ("mnist.citation.count('@'), manifest.citations[0].key in mnist.citation", "(1, True)"),
    ("splits.column_names", "{'train': ['image', 'label'], 'test': ['image', 'label']}"),
    ("splits.num_rows", "{'train': 30, 'test': 30}"),
    ("splits.shape", "{'train': (30, 2), 'test': (30, 2)}"),
    # torchvision
    ("ds.classes", "['cat', 'dog']"),
    ("ds.class_to_idx", "{'cat': 0, 'dog': 1}"),
    ("ds.targets", "LABELS"),
    ("ds.labels", "LABELS"),
    ("ds.data", "IMAGES"),
    # TFDS and tf.data
    ("ds.cardinality().numpy()", "10"),
    ("list(ds.element_spec)", "['image', 'label', 'text']"),
    ("ds.batches(4).class_names", "['cat', 'dog']"),
    ("ds.batches(4).batch_size", "4"),
    ("len(ds.batches(4).dataset)", "10"),
]

VIEWS = [
    # datasets
    ("ds.rename_column('label', 'y')['y']", "LABELS"),
    ("ds.rename_columns({'label': 'y', 'text': 't'}).column_names", "['image', 'y', 't']"),
    ("ds.remove_columns(['image', 'text']).column_names", "['label']"),
    ("ds.remove_columns('text').column_names", "['image', 'label']"),
    ("ds.select_columns(['text'])[0]", "{'text': 'one'}"),
    ("ds.add_column('length', [len(word) for word in WORDS])['length']", "[*map(len, WORDS)]"),
    ("ds.add_item({'image': IMAGES[0], 'label': 1, 'text': 'new'})[10]['text']", "'new'"),
    ("ds.cast_column('label', NumberFeature(dtype='int32'))['label'].dtype.name", "'int32'"),
    ("ds.class_encode_column('text').features['text'].names", "tuple(sorted(WORDS))"),
    ("[sorted(WORDS)[i] for i in ds.class_encode_column('text')['text']]", "WORDS"),
    ("ds.select(range(2, 5))['text']", "WORDS[2:5]"),
    ("ds.select(indices=[3, 1])['text']", "['four', 'two']"),
    ("ds.sort('text', reverse=True)['text']", "sorted(WORDS, reverse=True)"),
    ("sorted(ds.shuffle(seed=42)['text'])", "sorted(WORDS)"),
    ("sorted(ds.shuffle(buffer_size=10_000, seed=42)['text'])", "sorted(WORDS)"),
    ("ds.shard(num_shards=3, index=1)['text']", "WORDS[1::3]"),
    ("ds.shard(num_shards=3, index=1, contiguous=True)['text']", "WORDS[4:7]"),
    ("ds.flatten_indices()['text']", "WORDS"),
    ("ds.unique('label')", "[0, 1]"),
    ("concatenate_datasets([ds, ds])['text']", "WORDS * 2"),
    ("interleave_datasets([ds.take(2), ds.skip(5)])['text']", "['one', 'six', 'two', 'seven']"),
    ("ds.map(lambda row: {'n': len(row['text'])}, num_proc=2, desc='count')['n']", LENGTHS),
    ("ds.map(lambda text: {'n': len(text)}, input_columns='text')['n']", LENGTHS),
    ("ds.map(lambda b: {'n': [*map(len, b['text'])]}, batched=True, remove_columns=ds.column_names).column_names", "['n']"),
    ("ds.map(lambda row, i: {'text': f'{i} {row[\"text\"]}'}, with_indices=True)[3]['text']", "'3 four'"),
    ("ds.map(lambda row, by: {'n': row['label'] * by}, fn_kwargs={'by': 7}, load_from_cache_file=False)['n']", "LABELS * 7"),
    ("ds.filter(lambda row: row['label'] == 1, num_proc=4)['label']", "[1] * 5"),
    ("ds.filter(lambda text: len(text) > 4, input_columns='text')['text']", "['three', 'seven', 'eight']"),
    ("ds.filter(lambda row, i: i % 2 == 0, with_indices=True)['text']", "WORDS[::2]"),
    ("ds.train_test_split(test_size=0.2, seed=42)['test'].num_rows", "2"),
    ("ds.train_test_split(test_size=3, shuffle=False)['train']['text']", "WORDS[:7]"),
    ("ds.train_test_split(0.4, stratify_by_column='label')['test'].counts('label')", "{'cat': 2, 'dog': 2}"),
    ("splits.rename_column('label', 'y')['test'].column_names", "['image', 'y']"),
    ("splits.remove_columns(['image'])['train'][0].keys() - {'label'}", "set()"),
    ("splits.map(lambda row: {'y': -row['label']}, remove_columns=['label'])['test']['y']", "-TEST['label']"),
    # pandas and tf.data
    ("ds.head(3)['text']", "WORDS[:3]"),
    ("ds.tail(2)['text']", "WORDS[-2:]"),
    ("ds.repeat(2)['text']", "WORDS * 2"),
    ("ds.concatenate(ds)['text']", "WORDS * 2"),
    ("ds.shuffle(1024, reshuffle_each_iteration=False).prefetch(1).num_rows", "10"),
    ("ds.sample(n=4, random_state=1).num_rows", "4"),
    ("ds.sample(frac=0.5).num_rows", "5"),
    # torch
    ("[part.num_rows for part in random_split(ds, [0.8, 0.2])]", "[8, 2]"),
    ("Subset(ds, [3, 1])['text']", "['four', 'two']"),
    ("ConcatDataset([ds, ds]).num_rows", "20"),
]  # fmt: skip

DATA = [
    # batches
    ("[len(batch['text']) for batch in ds.iter(batch_size=4)]", "[4, 4, 2]"),
    ("next(iter(ds.batch(4)))['text']", "WORDS[:4]"),
    ("len(ds.batch(4, drop_remainder=True))", "2"),
    ("len(ds.batches(batch_size=4, num_workers=2, pin_memory=True, drop_remainder=True))", "2"),
    ("[row['text'] for row in ds.as_numpy_iterator()]", "WORDS"),
    ("[batch['text'] for batch in ds.batch(4).prefetch(-1).take(1)]", "[WORDS[:4]]"),
    # other libraries
    ("ds.to_dict()['label']", "LABELS.tolist()"),
    ("ds.to_list()[1]['text']", "'two'"),
    ("ds.with_format('numpy')[0]['image']", "IMAGES[0]"),
    ("from_dict({'a': [1, 2]})['a']", "[1, 2]"),
    ("from_list([{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'y'}])['b']", "['x', 'y']"),
    ("from_generator(lambda n: ({'a': i} for i in range(n)), gen_kwargs={'n': 3})['a']", "range(3)"),
    ("from_generator(lambda: iter([{'a': 5}]))['a']", "[5]"),
    ("ds.to_pandas().text.tolist()", "WORDS", "pandas"),
    ("from_pandas(ds.select_columns(['text']).to_pandas())['text']", "WORDS", "pandas"),
    ("as_dataframe(ds.take(2)).label.tolist()", "[0, 1]", "pandas"),
    ("ds.to_polars()['text'].to_list()", "WORDS", "polars"),
    ("ds.with_format('torch')[0]['image'].numpy()", "IMAGES[0]", "torch"),
    ("ds.with_format('torch', columns=['label'])[2]['label']", "1", "torch"),
    ("[len(y) for x, y in DataLoader(load('mnist', train=True), batch_size=16)]", "[16, 14]", "torch"),
    ("[len(b['text']) for b in DataLoader(ds, batch_size=4, shuffle=True, num_workers=2)]", "[4, 4, 2]", "torch"),
    ("[len(y) for x, y in ds.to_tf_dataset(columns='text', label_cols='label', batch_size=4)]", "[4, 4, 2]", "tensorflow"),
]  # fmt: skip

LOADS = [
    # TFDS
    ("load('mnist', split='train', as_supervised=True)[3]", "(TRAIN['image'][3], TRAIN['label'][3])"),
    ("next(iter(load('mnist', split='train', as_supervised=True)))[1]", "TRAIN['label'][0]"),
    ("[y for _, y in load('mnist', split='train', as_supervised=True).take(3)]", "TRAIN['label'][:3]"),
    ("load('mnist', split='train', as_supervised=True).map(lambda x, y: (x / 255, y))[2][0]", "TRAIN['image'][2] / 255"),
    ("next(iter(load('mnist', split='train', as_supervised=True).cache().batch(8).prefetch(-1)))[0]", "TRAIN['image'][:8]"),
    ("[len(part) for part in load('mnist', split=['train[:80%]', 'train[80%:]'])]", "[24, 6]"),
    ("[part['label'] for part in load('mnist', split=['train', 'test'])][1]", "TEST['label']"),
    ("load('mnist', split='train', with_info=True)[1].splits['test'].num_examples", "30"),
    ("load('mnist', split='train', with_info=True)[1].features['label'].num_classes", "10"),
    ("load('mnist', split=['train', 'test'], as_supervised=True, with_info=True, shuffle_files=False)[0][1][0][1]", "TEST['label'][0]"),
    ("load('mnist', split='train', batch_size=-1)['label']", "TRAIN['label']"),
    ("load('mnist', split='train', batch_size=-1, as_supervised=True)[1]", "TRAIN['label']"),
    ("len(load('mnist', split='train', batch_size=8))", "4"),
    ("sorted(load('mnist', split='train', shuffle_files=True)['label'])", "sorted(TRAIN['label'])"),
    ("'mnist' in list_builders() and 'mnist' in list_datasets()", "True"),
    ("builder('mnist').info.splits['train'].num_examples", "30"),
    ("builder('mnist').as_dataset(split='test')['label']", "TEST['label']"),
    ("data_source('mnist', split='train')[4]['label']", "TRAIN['label'][4]"),
    ("as_numpy(load('mnist', split='train'))[0]['image']", "TRAIN['image'][0]"),
    # torchvision
    ("load('mnist', train=True, download=True)[5]", "(TRAIN['image'][5], TRAIN['label'][5])"),
    ("load('mnist', train=False)[5][1]", "TEST['label'][5]"),
    ("load('mnist', train=True, transform=np.asarray)[1][0]", "TRAIN['image'][1, :, :, 0]"),
    ("load('mnist', train=True, transform=lambda image: image.size)[1][0]", "(28, 28)"),
    ("load('mnist', train=True, target_transform=lambda y: -y)[1][1]", "-TRAIN['label'][1]"),
    ("load('mnist', train=True).targets", "TRAIN['label']"),
    ("load('mnist', train=True).data", "TRAIN['image']"),
    ("load('mnist', train=True).classes", "[*map(str, range(10))]"),
    # datasets
    ("load_dataset('mnist', split='train')['label']", "TRAIN['label']"),
    ("load_dataset('mnist')['test']['label']", "TEST['label']"),
    ("load('mnist', split='train', streaming=True, trust_remote_code=True, num_proc=4)['label']", "TRAIN['label']"),
    ("load('mnist', split='train', revision='1.0.0').info.name", "'mnist'"),
    ("load_dataset('glue', 'sst2', split='train[:5]').num_rows", "5"),
    ("get_dataset_split_names('mnist')", "['train', 'test']"),
    ("'sst2' in get_dataset_config_names('glue')", "True"),
    ("load_dataset_builder('mnist').info.description", "manifest.summary"),
    ("DatasetDict({'train': ds, 'test': ds.take(2)}).num_rows", "{'train': 10, 'test': 2}"),
    ("ClassLabel(names=['cat', 'dog'])", "ds.features['label']"),
    # Keras
    ("load_data('mnist', path='mnist.npz')[1][1]", "TEST['label']"),
]  # fmt: skip

ERRORS = [
    ("ds.set_format('torch')", 'ds.with_format("torch")'),
    ("ds.push_to_hub('me/mine')", "dshub mirror"),
    ("ds.set_transform(len)", "ds.map(f, batched=True)"),
    ("ds.repeat()", "ds.batches(32).repeat()"),
    ("ds.batches(4, sampler=[1, 2])", "ds.select(rows)"),
    ("ds.batches(4, collate_fn=len)", "transform=f"),
    ("ds.batches(2).shuffle(100)", "shuffle=True"),
    ("ds.batches(2).map(len)", "transform=f"),
    ("load('mnist', data_files='x.csv')", "Dataset.from_csv"),
    ("load_data('imdb', num_words=10_000)", "ds.map(tokenize)"),
    ("load(5)", "a string such as 'mnist'"),
    ("ds[['image', 'label']]", "ds.columns(['image', 'label'])"),
]

Line = tuple[Any, ...]


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return the names that the lines use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSHUB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("DSHUB_SYNTHETIC", str(ROWS))
        columns: dict[str, Any] = {"image": IMAGES, "label": LABELS, "text": WORDS}
        features = {"label": LabelFeature(names=("cat", "dog"))}
        ds = Dataset.from_arrays(columns, features=features, supervised=("image", "label"))
        splits = dshub.load("mnist")
        names = {name: getattr(dshub, name) for name in dshub._FAMILIAR}
        names |= {name: getattr(dshub, name) for name in ("load", "load_data")}
        names |= {name: getattr(Dataset, name) for name in CONSTRUCTORS}
        yield names | {
            "ds": ds,
            "mnist": splits["train"],
            "splits": splits,
            "manifest": dshub.info("mnist"),
            "TRAIN": splits["train"].numpy(),
            "TEST": splits["test"].numpy(),
            "NumberFeature": NumberFeature,
            "np": np,
            "WORDS": WORDS,
            "IMAGES": IMAGES,
            "LABELS": LABELS,
        }


CONSTRUCTORS = ["from_dict", "from_list", "from_generator", "from_pandas"]


@pytest.fixture
def synthetic(monkeypatch: pytest.MonkeyPatch, namespace: dict[str, Any]) -> dict[str, Any]:
    """Return the names for a test that loads synthetic rows."""
    monkeypatch.setenv("DSHUB_SYNTHETIC", str(ROWS))
    return namespace


@pytest.mark.parametrize(
    "line", [*PROPERTIES, *VIEWS, *DATA, *LOADS], ids=lambda line: line[0][:60]
)
def test_line_of_another_library_does_what_it_means(line: Line, synthetic: dict[str, Any]) -> None:
    typed, expected, *modules = line
    for module in modules:
        pytest.importorskip(module)
    result = eval(typed, synthetic)
    np.testing.assert_equal(comparable(result), comparable(eval(expected, synthetic)))


def comparable(value: Any) -> Any:
    """Convert sequences to lists of Python values for comparison."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple | range):
        return [comparable(item) for item in value]
    return value


@pytest.mark.parametrize(("line", "message"), ERRORS)
def test_line_without_an_equivalent_names_the_right_one(
    line: str, message: str, synthetic: dict[str, Any]
) -> None:
    with pytest.raises((AttributeError, TypeError)) as caught:
        eval(line, synthetic)
    assert message in f"{caught.value} {getattr(caught.value, 'hint', '')}"


def test_script_is_long_enough() -> None:
    assert len(PROPERTIES + VIEWS + LOADS) >= 60


def test_files_are_written_and_read(synthetic: dict[str, Any], tmp_path: Path) -> None:
    ds: Dataset = synthetic["ds"].remove_columns("image")
    ds.to_csv(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == WORDS
    ds.to_json(tmp_path / "rows.json")
    lines = (tmp_path / "rows.json").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == WORDS
    ds.to_parquet(tmp_path / "rows.parquet")
    assert parquet.read_table(tmp_path / "rows.parquet")["label"].to_pylist() == LABELS.tolist()
    assert list(tmp_path.iterdir()).__len__() == 3
    assert Dataset.from_csv(tmp_path / "rows.csv")["text"] == WORDS
    assert Dataset.from_json(str(tmp_path / "rows.json"))["text"] == WORDS
    assert Dataset.from_parquet(tmp_path / "rows.parquet")["label"].tolist() == LABELS.tolist()
    files = {"train": str(tmp_path / "rows.csv")}
    assert dshub.load_dataset("csv", data_files=files)["train"]["text"] == WORDS
    assert dshub.load_dataset("csv", data_files=files, split="train")[0]["text"] == "one"


def test_folders_are_saved_and_loaded(synthetic: dict[str, Any], tmp_path: Path) -> None:
    ds, splits = synthetic["ds"], synthetic["splits"]
    ds.save_to_disk(tmp_path / "one")
    one = dshub.load_from_disk(tmp_path / "one")
    assert isinstance(one, Dataset)
    assert one["text"] == WORDS
    splits.save_to_disk(tmp_path / "all")
    opened = Dataset.load_from_disk(tmp_path / "all")
    assert isinstance(opened, Splits)
    assert opened["test"]["label"].tolist() == synthetic["TEST"]["label"].tolist()


@pytest.mark.parametrize("name", ["root", "data_dir", "cache_dir"])
def test_folder_of_other_libraries_is_the_cache(
    name: str, synthetic: dict[str, Any], tmp_path: Path
) -> None:
    options: dict[str, Any] = {name: tmp_path / "data"}
    rows = dshub.load("mnist", split="train", **options)
    assert rows["label"].tolist() == synthetic["TRAIN"]["label"].tolist()
    assert rows.files[0].is_relative_to(tmp_path / "data")


def test_download_false_downloads_nothing(hub: Hub) -> None:
    options: dict[str, Any] = {"download": False}
    with pytest.raises(dshub.DshubError, match="DSHUB_OFFLINE"):
        hub.load("mnist", split="train", **options)


def test_interleaving_with_probabilities_follows_them(synthetic: dict[str, Any]) -> None:
    parts = [Dataset.from_dict({"x": np.full(1000, number)}) for number in range(2)]
    mixed = dshub.interleave_datasets(parts, probabilities=[0.8, 0.2], seed=0)
    assert 0.15 < np.mean(mixed["x"]) < 0.25
    assert np.array_equal(mixed["x"], dshub.interleave_datasets(parts, [0.8, 0.2], seed=0)["x"])


def test_image_folder_is_a_dataset(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image").fromarray(IMAGES[0, ..., 0])
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        image.save(tmp_path / name / "1.png")
    assert dshub.ImageFolder(tmp_path).class_to_idx == {"cat": 0, "dog": 1}


def test_type_checkers_see_familiar_names(synthetic: dict[str, Any]) -> None:
    ds: Dataset = synthetic["ds"]
    names: list[str] = ds.column_names
    loader: Loader = ds.rename_column("label", "y").batch(4)
    made: Dataset = Dataset.from_dict({"a": pa.array([1]).to_numpy()})
    counts: dict[str, int] = ds.train_test_split(0.2).num_rows
    label = ds.features["label"]
    assert isinstance(label, LabelFeature)
    total: int = label.num_classes
    assert (len(names), len(list(islice(loader, 1))), len(made), total) == (3, 1, 1, 2)
    assert counts == {"train": 8, "test": 2}


def test_familiar_names_are_not_in_dir(synthetic: dict[str, Any]) -> None:
    ds = synthetic["ds"]
    assert not {"column_names", "to_pandas", "train_test_split", "from_polars"} & {*dir(ds)}
    assert not {"column_names", "from_polars"} & {*dir(Dataset)}
    assert "num_classes" not in dir(ds.features["label"])
    assert "load_dataset" not in dir(dshub)


@pytest.mark.parametrize("name", ["push_to_hub", "quite_unknown", "__array_interface__"])
def test_hasattr_is_false_without_an_equivalent(name: str, synthetic: dict[str, Any]) -> None:
    ds = synthetic["ds"]
    things = (ds, ds.batches(2), synthetic["splits"], ds.features["label"], Dataset)
    assert not any(hasattr(thing, name) for thing in things)


def test_attribute_of_splits_is_explained(hub: Hub) -> None:
    splits = hub.load("mnist", synthetic=5)
    with pytest.raises(AttributeError, match=r'splits\["train"\]$'):
        splits.train  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(AttributeError, match=r'splits\["train"\]\.take$'):
        splits.take(5)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="for one split"):
        splits.push_to_hub("mine")  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="quite_unknown"):
        splits.quite_unknown  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(UnknownNameError) as caught:
        splits["train"]["train"]
    assert 'load("mnist", "train")' in caught.value.hint


@pytest.mark.parametrize(
    ("name", "message"), [("datasets", "load("), ("transforms", "from dshub.loading.transforms")]
)
def test_function_without_an_equivalent_is_explained(name: str, message: str) -> None:
    code = f"import dshub\ntry: dshub.{name}\nexcept AttributeError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert message in done.stdout


def test_failing_property_raises_its_own_error(synthetic: dict[str, Any]) -> None:
    class Broken(Dataset):
        @property
        def broken_property(self) -> int:
            return self.quite_unknown  # type: ignore[attr-defined]

    ds = synthetic["ds"]
    broken = Broken(**{name: getattr(ds, name) for name in ("_source", "_selection", "_names")})
    with pytest.raises(AttributeError, match="quite_unknown"):
        broken.broken_property  # noqa: B018


def test_repr_is_one_line(synthetic: dict[str, Any], hub: Hub) -> None:
    digits: Dataset = synthetic["ds"]
    loader: Loader = digits.batches(4, shuffle=True)
    shown = {
        repr(digits): "10 rows of image, label",
        repr(loader): "3 batches of 4 rows, shuffled, epoch 0: <Dataset",
        repr(hub): str(hub.settings.cache),
        repr(hub.registry): "registry",
        repr(hub.registry.manifest("mnist")): "<Manifest mnist@1.0.0: train 60,000, test 10,000",
        repr(hub.info("imagenet-sketch").features["label"]): "1,000 names",
    }
    for text, message in shown.items():
        assert message in text
        assert len(text) < 400
        assert "\n" not in text
