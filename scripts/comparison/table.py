"""A comparison as a table and a figure."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.comparison.row import Row
from scripts.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.transforms import Bbox

# Figure -> heading and places.
COLUMNS: Mapping[str, tuple[str, int]] = {
    "forget": ("forget", 3),
    "retain": ("retain", 3),
    "test": ("test", 3),
    "average_gap": ("average gap", 3),
    "forgotten_fraction": ("FF", 2),
    "excess": ("excess departure", 2),
    "distance": ("distance of answers", 2),
    "recovered": ("comes back", 3),
    "auc": ("attack AUC", 2),
    "overlooked_gap": ("overlooked", 3),
    "cpu_seconds": ("CPU s", 0),
}
LEAST_SECONDS = 0.1  # where the figure's axis begins
# To the right of a point and below it, in points, the first that is free; negative: left, above.
NAME_PLACES = [(side * 6, step * 10) for step in (0, 1, -1, 2, -2, 3, -3, 4, 5, 6) for side in (1, -1)]
SIGNED = ("recovered", "overlooked_gap")
LEGEND = (
    "*average gap*: mean distance from the retrained models in {metric} on forget, retain and test and in attack AUC;"
    " *FF*: share of the teacher's score on the forget set that is gone, 1 as retrained; *excess departure*: 0 as one"
    " more retrained model, 1 as the teacher; *distance of answers*: over the teacher's; *comes back*: {metric} on the"
    " forget set after 20 training steps on others, less what a retrained model gains; *overlooked*: share of what is"
    " there that is not found on test, less the retrained models'; with tuning in brackets."
)


def nearest_first(rows: Sequence[Row]) -> list[Row]:
    """Rows by average gap; what failed stands last."""
    return sorted(rows, key=lambda row: (bool(row.failed), row.mean("average_gap") or 0.0))


def markdown(rows: Sequence[Row], *, metric: str) -> str:
    """The table, the nearest to the retrained models first."""
    headings = ["method", *(heading for heading, _ in COLUMNS.values())]
    lines = [f"| {' | '.join(headings)} |", "| --- " * len(headings) + "|"]
    for row in nearest_first(rows):
        failed = f"failed: {row.failed}".replace("|", "/")
        cells = [failed, *[""] * (len(COLUMNS) - 1)] if row.failed else _cells(row)
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", LEGEND.format(metric=metric)]) + "\n"


def _cells(row: Row) -> list[str]:
    found = []
    for figure, (_, places) in COLUMNS.items():
        mean, spread = row.mean(figure), row.spread(figure)
        if mean is None:
            found.append("-")
            continue
        sign = "+" if figure in SIGNED else ""
        cell = f"{mean:{sign}.{places}f}"
        if spread is not None and figure != "cpu_seconds":
            cell += f" ({spread:.{places}f})"
        if figure == "cpu_seconds" and row.tuning is not None:
            cell += f" ({mean + row.tuning:.0f})"
        found.append(cell)
    return found


def draw(rows: Sequence[Row], path: Path, *, metric: str) -> None:
    """A point a method: CPU seconds against the average gap to the retrained models, nearer is lower."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axis = figure.subplots()
    points: dict[str, tuple[float, float]] = {}
    for row in rows:
        seconds, gap = row.mean("cpu_seconds"), row.mean("average_gap")
        if row.failed or seconds is None or gap is None:
            continue
        points[row.name] = (max(seconds, LEAST_SECONDS), gap)
        axis.plot(*points[row.name], "o", color="#2563eb")
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.margins(x=0.15)
    axis.set_xlabel("CPU seconds of one request")
    axis.set_ylabel(f"average gap to retrained models ({metric}, AUC)")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    _name(axis, points, canvas.get_renderer())
    image = io.BytesIO()
    canvas.print_png(image)
    write_bytes(path, image.getvalue())


def _name(axis: Axes, points: Mapping[str, tuple[float, float]], renderer: RendererBase) -> None:
    """Write the names beside their points, the highest first, each where it covers no other name and no point."""
    from matplotlib.text import Text

    dots = [axis.transData.transform(point) for point in points.values()]
    taken: list[Bbox] = []
    for name, point in sorted(points.items(), key=lambda item: (-item[1][1], item[1][0])):
        best: tuple[int, Text, Bbox] | None = None
        for right, below in NAME_PLACES:
            text = axis.annotate(
                name,
                point,
                xytext=(right, -below),
                textcoords="offset points",
                ha="left" if right > 0 else "right",
                va="center",
                fontsize=8,
                arrowprops={"arrowstyle": "-", "lw": 0.4, "color": "grey"},
            )
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer)  # of the name without its line
            covered = sum(box.overlaps(other) for other in taken) + sum(box.contains(*dot) for dot in dots)
            covered += not axis.bbox.contains(box.x0, box.y0) or not axis.bbox.contains(box.x1, box.y1)
            if best is None or covered < best[0]:
                if best is not None:
                    best[1].remove()
                best = covered, text, box
            else:
                text.remove()
            if not best[0]:
                break
        assert best is not None
        taken.append(best[2])
