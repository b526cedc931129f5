import pytest

from dshub import Hub, Registry, Settings
from dshub.progress import Silent

HIDDEN = [
    ("glue/ax", "test", "label"),
    ("glue/cola", "test", "label"),
    ("glue/mnli", "test_matched", "label"),
    ("glue/mnli", "test_mismatched", "label"),
    ("glue/qnli", "test", "label"),
    ("glue/qqp", "test", "label"),
    ("glue/rte", "test", "label"),
    ("glue/sst2", "test", "label"),
    ("glue/stsb", "test", "label"),
    ("glue/wnli", "test", "label"),
    ("imagenet-1k-test", "test", "label"),
    ("imdb", "unsupervised", "label"),
    ("places365/small", "test", "label"),
    ("stl-10", "unlabeled", "label"),
    ("superglue/boolq", "test", "label"),
    ("superglue/cb", "test", "label"),
    ("superglue/copa", "test", "label"),
    ("superglue/multirc", "test", "label"),
    ("superglue/record", "test", "answers"),
    ("superglue/rte", "test", "label"),
    ("superglue/wic", "test", "label"),
    ("superglue/wsc", "test", "label"),
    ("tiny-imagenet", "test", "label"),
]
PUBLIC = [("glue/mrpc", "test"), ("superglue/axb", "test"), ("superglue/axg", "test")]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """Return a hub that the tests of this module share."""
    settings = Settings.read(cache=tmp_path_factory.mktemp("hidden") / "cache")
    return Hub(settings=settings, registry=Registry(()), progress=Silent())


@pytest.mark.parametrize(("name", "split", "column"), HIDDEN)
def test_split_has_no_column_of_withheld_labels(
    name: str, split: str, column: str, hub: Hub
) -> None:
    rows = hub.load(name, split, synthetic=4)
    assert column not in rows.features
    assert column not in rows[0]
    assert rows.features


@pytest.mark.parametrize(("name", "split"), PUBLIC)
def test_published_labels_of_a_test_split_are_loaded(name: str, split: str, hub: Hub) -> None:
    labels = hub.load(name, split, synthetic=4)["label"]
    assert set(labels) <= {0, 1}
