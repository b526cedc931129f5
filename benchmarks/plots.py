"""Draw the bar charts of docs/benchmarks.md; needs matplotlib.

python benchmarks/epoch.py --plots docs/_static/benchmarks
"""

from collections.abc import Mapping
from pathlib import Path

OURS, OTHERS, TEXT = "#0b5fad", "#9aa7b4", "#5f6b78"  # legible on white and on black


def bars(
    folder: Path | None, name: str, title: str, unit: str, values: Mapping[str, float]
) -> None:
    """Write `<name>.svg`: one bar per candidate, longest on top, dshub's in color.

    Args:
        folder: folder of the chart; None draws nothing.
        name: file name without suffix.
        title: title above the bars.
        unit: unit of the values, shown below the bars.
        values: value of each candidate.
    """
    if folder is None:
        return
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": name, "font.family": "sans-serif", "font.size": 10})
    from matplotlib import pyplot as plt

    ranked = sorted(values.items(), key=lambda item: item[1])
    names, lengths = [key for key, _ in ranked], [value for _, value in ranked]
    figure, axes = plt.subplots(figsize=(7.5, 0.9 + 0.32 * len(ranked)), layout="constrained")
    colors = [OURS if key.startswith("dshub") else OTHERS for key in names]
    drawn = axes.barh(names, lengths, color=colors, height=0.7)
    axes.bar_label(drawn, labels=[_rounded(value) for value in lengths], padding=4, color=TEXT)
    axes.set_title(title, loc="left", color=TEXT)
    axes.set_xlabel(unit, color=TEXT)
    axes.tick_params(colors=TEXT, length=0)
    axes.xaxis.set_ticks([])
    axes.margins(x=0.15)
    axes.spines[:].set_visible(False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.svg", transparent=True, metadata={"Date": None})
    plt.close(figure)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
