import sys

import numpy as np
import pytest

from dshub import Dataset, DshubError, Hub
from dshub.errors import MissingExtraError, UnknownNameError

DATASET = Dataset.from_arrays({"n": np.arange(5)})


PACKAGES = {"tf": "tensorflow", "hf": "datasets"} | {
    name: name for name in ("torch", "keras", "jax", "grain", "mxnet", "pandas", "polars", "ray")
}


@pytest.mark.parametrize(("name", "package"), PACKAGES.items())
def test_missing_framework_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"dshub.adapters.{name}", raising=False)
    for ask in (
        getattr(DATASET, name, lambda: DATASET.to(name)),
        lambda: DATASET.batches(2).to(name),
        lambda: DATASET.to(name),
    ):
        with pytest.raises(MissingExtraError, match=f"{package} is not installed") as caught:
            ask()
        assert caught.value.hint == f"run `pip install 'dshub[{name}]'`"
        assert isinstance(caught.value, ImportError | DshubError)


def test_unknown_adapter_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="no adapter named 'troch'") as caught:
        DATASET.to("troch")
    assert caught.value.hint.startswith("did you mean torch?")
    with pytest.raises(UnknownNameError) as caught:
        DATASET.batches(2).to("paddle")
    assert {"numpy", "torch", "tf"} <= set(caught.value.known)


def test_missing_datasets_package_is_an_error(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match="datasets is not installed") as caught:
        Dataset.from_hf(object())
    assert caught.value.hint == "run `pip install 'dshub[hf]'`"
    with pytest.raises(MissingExtraError, match="datasets is not installed"):
        hub.load("hf:owner/name", "train")
