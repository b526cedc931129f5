"""Log datasets, and read the logs with TensorBoard's own reader."""

import html
import io
import re
import sys
import wave
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset
from dshub.adapters import tensorboard as adapter
from dshub.adapters.tensorboard import Logged, log
from dshub.catalog.features import AudioFeature, ImageFeature, LabelFeature
from dshub.errors import ArgumentError, DshubError, MissingExtraError, StoreError
from dshub.loading.transforms.transform import Batch
from dshub.testing.adapters import example, varied

CLASSES = ("cat", "T-shirt/top", "a b", "a_b")


def colored(rows: int = 60) -> Dataset:
    """Return images of a gray that depends on the class, which is uneven in number."""
    labels = np.minimum(np.arange(rows) % 6, 3)
    images = np.repeat(np.uint8(40 * labels + 50), 64).reshape(rows, 8, 8, 1)
    return Dataset.from_arrays(
        {"image": images, "label": labels.astype(np.int64)},
        features={"image": ImageFeature(shape=(8, 8, 1)), "label": LabelFeature(names=CLASSES)},
        supervised=("image", "label"),
    )


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Return a function that logs a dataset, if any, in a folder and reads the events."""
    pytest.importorskip("tensorboardX")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def logged(dataset: Dataset | None, folder: Path = tmp_path, **options: Any) -> Any:
        if dataset is not None:
            log(dataset, folder, **options)
        events = reader.EventAccumulator(str(folder), size_guidance={"images": 0, "audio": 0})
        return events.Reload()

    return logged


def text_of(events: Any, tag: str) -> str:
    """Return a text of a log."""
    (event,) = events.Tensors(f"{tag}/text_summary")
    text: str = event.tensor_proto.string_val[0].decode()
    return text


def test_each_class_has_a_grid_of_its_images(read: Callable[..., Any]) -> None:
    events = read(colored())
    tags = ["image/cat", "image/T-shirt_top", "image/a_b", "image/a_b-3"]
    assert events.Tags()["images"] == tags
    for number, tag in enumerate(tags):
        (event,) = events.Images(tag)
        image = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)).convert("RGB"))
        size, shown = (image.shape[1] + 4) // 5, 10 if number < 3 else 25  # five columns
        centers = image[size // 2 :: size, size // 2 :: size].reshape(-1, 3)
        assert centers[:shown].tolist() == [[40 * number + 50] * 3] * shown
        assert (centers[shown:] == 255).all()


def test_grids_of_many_classes_are_limited(
    read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "CLASSES", 2)
    assert len(read(colored(), points=0).Tags()["images"]) == 2


def test_histograms_count_classes_numbers_and_lengths(read: Callable[..., Any]) -> None:
    sizes = np.array([0.5, 1.5, np.nan, 2.5])
    texts = ["a", "bb", "ccc", "dddd"]
    labels = np.array([0, 2, 2, 2])
    dataset = Dataset.from_arrays(
        {"label": labels, "size": sizes, "text": texts, "tokens": [[1], [1, 2], [], [3]]},
        features={"label": LabelFeature(names=("x", "y", "z"))},
    )
    events = read(dataset)
    assert sorted(events.Tags()["histograms"]) == [
        *("classes/label", "lengths/text", "lengths/tokens", "numbers/size")
    ]
    (classes,) = events.Histograms("classes/label")
    value = classes.histogram_value
    assert (value.min, value.max, value.num, value.sum, value.sum_squares) == (-0.5, 2.5, 4, 6, 12)
    assert dict(zip(value.bucket_limit, value.bucket, strict=True)) == {0.5: 1, 1.5: 0, 2.5: 3}
    (numbers,) = events.Histograms("numbers/size")
    assert (numbers.histogram_value.num, numbers.histogram_value.sum) == (3, 4.5)
    (lengths,) = events.Histograms("lengths/text")
    assert (lengths.histogram_value.min, lengths.histogram_value.max) == (1, 4)
    (tokens,) = events.Histograms("lengths/tokens")
    assert tokens.histogram_value.sum == 4


def shown_text(markdown: str) -> list[str]:
    """Return the lines of a text as TensorBoard shows them."""
    util = pytest.importorskip("tensorboard.plugin_util")
    tags = re.compile(r"<[^>]*>")
    lines = util.markdown_to_safe_html(markdown).splitlines()
    return [html.unescape(text) for line in lines if (text := tags.sub("", line))]


def test_texts_are_rows_and_a_table_of_classes(read: Callable[..., Any]) -> None:
    texts = ["# *not* a <b>heading</b> | or `code`", "two\nlines", "long " * 100]
    features = {"label": LabelFeature(names=("cat", "dog"))}
    labels = np.array([1, 0, 1])
    events = read(Dataset.from_arrays({"text": texts, "label": labels}, features=features))
    rows = shown_text(text_of(events, "rows"))
    assert rows[0] == f"0 · text: {texts[0]} · label: dog"
    assert rows[1] == "1 · text: two lines · label: cat"
    assert len(rows) == 3
    assert len(rows[2]) < 350
    facts = text_of(events, "dataset").splitlines()
    assert {"| rows | 3 |", "| cat | 1 |", "| dog | 2 |", "**2 classes:**"} <= set(facts)


def test_synthetic_data_is_marked(read: Callable[..., Any], synthetic: Dataset) -> None:
    facts = text_of(read(synthetic), "dataset")
    assert facts.startswith("**Synthetic, not real data.**")


@pytest.fixture
def synthetic(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Dataset:
    """Return a split of synthetic data."""
    from dshub import load

    return load("iris", split="train", synthetic=40)


def test_audio_of_each_class_is_logged(read: Callable[..., Any]) -> None:
    samples = np.arange(-3000, 3000, dtype=np.int16).reshape(3000, 2)
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams((2, 2, 8000, len(samples), "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    dataset = Dataset.from_arrays(
        {"sound": [sink.getvalue()] * 6, "label": np.array([0, 1, 1, 1, 1, 0])},
        features={
            "sound": AudioFeature(rate=8000, channels=2),
            "label": LabelFeature(names=("yes", "no")),
        },
    )
    events = read(dataset)
    assert events.Tags()["audio"] == ["audio/yes", "audio/no"]
    clips = events.Audio("audio/no")
    assert [(clip.step, clip.sample_rate) for clip in clips] == [(0, 8000), (1, 8000)]
    with wave.open(io.BytesIO(clips[0].encoded_audio_string)) as played:
        heard = np.frombuffer(played.readframes(3000), "<i2")
    assert np.abs(heard - samples.mean(axis=1)).max() <= 1


def projection(folder: Path) -> tuple[Any, np.ndarray, list[list[str]]]:
    """Return the settings, points and metadata of the only projection in a folder."""
    text_format = pytest.importorskip("google.protobuf.text_format")
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    text = (folder / "projector_config.pbtxt").read_text()
    (found,) = text_format.Parse(text, ProjectorConfig()).embeddings
    points = np.loadtxt(folder / found.tensor_path, delimiter="\t", ndmin=2)
    lines = (folder / found.metadata_path).read_text().splitlines()
    return found, points, [line.split("\t") for line in lines]


def test_projector_shows_images_of_all_classes_equally(
    read: Callable[..., Any], tmp_path: Path
) -> None:
    read(colored(), points=40)
    found, points, (header, *metadata) = projection(tmp_path)
    assert header == ["row", "label"]
    assert points.shape == (36, 16 * 16 * 3)
    assert Counter(label for _, label in metadata) == dict.fromkeys(CLASSES, 9)
    sprite = np.asarray(Image.open(tmp_path / found.sprite.image_path))
    width, height = found.sprite.single_image_dim
    assert sprite.shape == (6 * height, 6 * width, 3)
    labels = np.asarray(colored()["label"])
    for i, (row, label) in enumerate(metadata):
        tile = sprite[i // 6 * height :, i % 6 * width :][:height, :width]
        assert CLASSES[labels[int(row)]] == label
        assert (tile == 40 * labels[int(row)] + 50).all()
        assert (points[i] == tile[0, 0, 0]).all()


def test_largest_sprite_is_within_the_limit_of_tensorboard() -> None:
    assert adapter.MAX_POINTS**0.5 * adapter.THUMBNAIL <= 8192


def test_projector_shows_numbers_without_images(read: Callable[..., Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {"width": rng.normal(5, 3, 49), "sizes": rng.normal(0, 9, (49, 2))}
    columns["constant"] = np.ones(49)
    read(Dataset.from_arrays(columns | {"name": ["tab\there"] * 49}))
    found, points, (header, *metadata) = projection(tmp_path)
    assert not found.HasField("sprite")
    assert (header, metadata[3]) == (["row", "name"], ["3", "tab here"])
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(points.std(axis=0), [1, 1, 1, 0], atol=1e-5)


def test_projector_shows_the_points_of_a_function(read: Callable[..., Any], tmp_path: Path) -> None:
    def embed(batch: Batch) -> np.ndarray:
        return np.stack([batch["label"], -batch["label"]], axis=1)

    read(colored(400), points=400, embed=embed)
    _, points, (_, *metadata) = projection(tmp_path)
    assert points.tolist() == [
        [CLASSES.index(label), -CLASSES.index(label)] for _, label in metadata
    ]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"points": 10_001}, "points"),
        ({"embed": 3}, "embed"),
        ({"embed": lambda batch: batch["label"]}, "shape \\(49, dimensions\\)"),
        ({"epoch": "no"}, "epoch"),
    ],
    ids=["points", "embed", "shape", "epoch"],
)
def test_invalid_arguments_are_errors(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        log(colored(), Recorder(), **option)


def test_speed_of_an_epoch_is_logged(read: Callable[..., Any]) -> None:
    scalars = read(example()).Scalars("throughput/rows_per_second")
    assert [scalar.step for scalar in scalars] == [53]
    many = Dataset.from_arrays({"n": np.arange(128 * 50 + 1)})
    (steps, values) = zip(*Recorder().log(many).scalars, strict=True)
    assert steps[-1] == len(many)
    assert 15 <= len(steps) <= 20
    assert min(values) > 0


class Recorder:
    """A writer that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.scalars: list[tuple[int, float]] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("add_"):
            raise AttributeError(name)

        def record(*arguments: Any, **options: Any) -> None:
            self.calls.append((name, options["tag"] if "tag" in options else arguments[0]))
            if name == "add_scalar":
                self.scalars.append((arguments[2], arguments[1]))

        return record

    def log(self, dataset: Dataset, **options: Any) -> "Recorder":
        """Log a dataset with this writer."""
        log(dataset, self, **options)
        return self


def test_any_writer_with_these_methods_gets_the_same_tags(
    read: Callable[..., Any], tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch.utils.tensorboard")
    with torch.SummaryWriter(str(tmp_path / "torch")) as writer:
        done = log(colored(), writer)
    torch_events, own_events = read(None, tmp_path / "torch"), read(colored(), tmp_path / "own")
    assert isinstance(done, Logged)
    assert torch_events.Tags() == own_events.Tags()
    assert torch_events.Tags()["images"] == done.tags["images"]
    sprites = [tmp_path / name / "00000/rows/sprite.png" for name in ("torch", "own")]
    torch_sprite, own_sprite = (np.asarray(Image.open(path)) for path in sprites)
    np.testing.assert_array_equal(torch_sprite, own_sprite)


def test_prefix_separates_datasets_of_one_writer() -> None:
    writer = Recorder()
    train = log(colored(), writer, prefix="train")
    log(colored(), writer, prefix="test/")
    assert train.tags["images"][0] == "train/image/cat"
    tags = [call for call in writer.calls if call[0] != "add_scalar"]
    assert len(set(tags)) == len(tags)
    assert ("add_embedding", "test/rows") in tags


def test_object_without_the_methods_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="add_audio"):
        log(colored(), object())


@pytest.mark.parametrize("decoded", [True, False])
def test_every_kind_of_column_can_be_logged(decoded: bool) -> None:
    kinds = Counter(name for name, _ in Recorder().log(varied().decode(decoded)).calls)
    assert kinds["add_image"] == 2
    assert kinds["add_audio"] == 1  # the first row has no samples
    assert kinds["add_histogram_raw"] == 3


def test_dataset_without_rows_has_only_facts() -> None:
    writer = Recorder().log(example().take(0))
    assert writer.calls == [("add_text", "dataset")]


def test_second_log_replaces_the_first(read: Callable[..., Any], tmp_path: Path) -> None:
    training = tmp_path / "events.out.tfevents.1.training"
    training.touch()
    read(colored(), points=16)
    events = read(colored().select([0, 6]), points=4)
    assert events.Tags()["images"] == ["image/cat"]
    assert len(list(tmp_path.glob("events.*"))) == 2
    assert training.exists()
    assert len(projection(tmp_path)[1]) == 1


def test_projection_of_another_program_is_kept(read: Callable[..., Any], tmp_path: Path) -> None:
    config = 'embeddings {\ntensor_name: "model:1"\n}\n'
    (tmp_path / "projector_config.pbtxt").write_text(config)
    read(colored())
    assert (tmp_path / "projector_config.pbtxt").read_text().startswith(config)


def test_folder_that_cannot_be_written_is_an_error(
    read: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        read(colored(), tmp_path / "file" / "run")


def test_missing_package_is_an_error_for_a_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match="tensorboardX is not installed") as caught:
        log(colored(), tmp_path / "run")
    assert caught.value.hint == "run `pip install 'dshub[tensorboard]'`"
    assert not (tmp_path / "run").exists()
    assert Recorder().log(colored()).calls


def test_rows_and_batches_refer_to_log() -> None:
    for convertible in (example(), example().batches(8)):
        with pytest.raises(DshubError, match="tensorboard does not support") as caught:
            convertible.to("tensorboard")
        assert caught.value.hint == "use dshub.adapters.tensorboard.log(ds, …)"


def test_missing_values_are_left_out_of_histograms(read: Callable[..., Any]) -> None:
    dataset = Dataset.from_arrays(
        {"label": [0, None, 1], "size": [1, None, 2], "text": ["a", None, "bb"]},
        features={"label": LabelFeature(names=("x", "y"), optional=True)},
    )
    events = read(dataset, points=0)
    counts = {
        tag: events.Histograms(tag)[0].histogram_value.num for tag in events.Tags()["histograms"]
    }
    assert counts == {"classes/label": 2, "numbers/size": 2, "lengths/text": 3}
