import numpy as np
import pyarrow as pa

from dshub.datasets.objects import to_arrow


def test_arrays_keep_their_dtype_and_shape() -> None:
    kind = pa.list_(pa.list_(pa.float32(), 3), 2)
    assert to_arrow([np.zeros((2, 3), np.float32)] * 2).type == kind
    ragged = to_arrow([np.zeros((i, 3), np.float32) for i in range(3)])
    assert ragged.type == pa.list_(pa.list_(pa.float32()))
    missing = to_arrow([np.zeros(2, np.uint8), None])
    assert missing.type == pa.list_(pa.uint8())
    assert missing.to_pylist() == [[0, 0], None]


def test_other_objects_are_converted_by_value() -> None:
    assert to_arrow([1, None, 2**63]).to_pylist() == [1, None, 2**63]
    assert to_arrow([{"a": np.arange(2)}, {"a": [5]}]).to_pylist() == [{"a": [0, 1]}, {"a": [5]}]
    assert to_arrow(np.ma.masked_array([1, 2], [True, False])).to_pylist() == [None, 2]
    texts = to_arrow([np.array(["a", "b"]), np.array(["c"])])
    assert texts.to_pylist() == [["a", "b"], ["c"]]
