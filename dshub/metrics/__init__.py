"""Official metrics of benchmarks, and files for their submission servers.

::

    from dshub import load
    from dshub.metrics import glue, write_glue

    validation = load("glue/mrpc", split="validation")
    glue("mrpc", predictions, validation["label"])      # {"accuracy": 0.87, "f1": 0.91}
    write_glue("mrpc", test_predictions, "submission")  # submission/MRPC.tsv

The metrics need scikit-learn and SciPy (`pip install 'dshub[metrics]'`), which are imported when a
metric is computed. Writing submission files does not need them.
"""

from dshub.metrics.benchmarks import glue, glue_score, superglue, superglue_score
from dshub.metrics.submission import write_glue, write_superglue

__all__ = ["glue", "glue_score", "superglue", "superglue_score", "write_glue", "write_superglue"]
