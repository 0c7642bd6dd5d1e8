"""The report's charts as SVG that takes the page's colours: light or dark."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = {"original": "#c2410c", "unlearned": "#2563eb", "retrained": "#15803d"}
INK = "#123456"  # of text and axes; the page puts its own in place


def scores_chart(means: Mapping[str, Sequence[float]]) -> str:
    """Corrected forget score of every model, a point a seed, nats."""
    figure, axis = _figure(height=0.5 + 0.45 * len(means))
    for place, (name, values) in enumerate(means.items()):
        axis.plot(values, [place] * len(values), "o", color=COLOURS[name], alpha=0.75, markersize=6)
        axis.plot([sum(values) / len(values)], [place], "|", color=COLOURS[name], markersize=22, markeredgewidth=2)
    axis.set_yticks(range(len(means)), list(means))
    axis.set_ylim(-0.6, len(means) - 0.4)
    axis.invert_yaxis()
    axis.set_xlabel("score on the forget images minus on validation images, nats")
    return _svg(figure)


def contrasts_chart(difference: Mapping[str, Any], gap: Mapping[str, Any], margin: float) -> str:
    """Unlearned minus retrained with its interval, between the margins and the original's gap."""
    figure, axis = _figure(height=1.3)
    allowed = margin * gap["mean"]
    axis.axvspan(-allowed, allowed, color=COLOURS["retrained"], alpha=0.15, linewidth=0)
    axis.axvline(0, color=COLOURS["retrained"], linewidth=1.5)
    axis.axvline(gap["mean"], color=COLOURS["original"], linewidth=1.5)
    axis.plot([difference["mean"]], [0], "o", color=COLOURS["unlearned"])
    if difference["interval"]:
        axis.plot(difference["interval"], [0, 0], "-", color=COLOURS["unlearned"], linewidth=2)
    axis.set_yticks([])
    axis.set_ylim(-1, 1)
    axis.set_xlabel("difference from the retrained models, nats")
    return _svg(figure)


def attacks_chart(attacks: Mapping[str, Mapping[str, Any]]) -> str:
    """ROC curve of each attack on original, unlearned and retrained models, means over models."""
    figure, axes = _figure(height=1.9, columns=len(attacks))
    for axis, (name, attack) in zip(axes, attacks.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=INK, linewidth=0.6, linestyle=":")
        for kind, values in attack["curves"].items():
            axis.plot(attack["rates"], values, color=COLOURS[kind], label=kind)
        axis.set_title(name, fontsize=9, color=INK)
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1.02)
        axis.set_xticks([0, 0.5, 1])
        axis.set_xlabel("false positive rate")
    axes[0].set_ylabel("true positive rate")
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=len(labels), frameon=False, labelcolor=INK)
    return _svg(figure)


def relearning_chart(steps: Sequence[int], curves: Mapping[str, Sequence[float]], level: float) -> str:
    """Corrected forget score while the forget images are trained on again, mean over pairs, nats."""
    figure, axis = _figure(height=2.2)
    for name, values in curves.items():
        axis.plot(steps, values, "o-", color=COLOURS[name], markersize=4)
        axis.annotate(name, (steps[-1], values[-1]), (5, 0), textcoords="offset points", va="center", color=INK)
    axis.axhline(level, color=INK, linewidth=0.8, linestyle="--")
    axis.set_xlim(0, 1.2 * steps[-1])
    axis.set_xlabel("training steps on the forget images")
    axis.set_ylabel("score, nats")
    return _svg(figure)


def _figure(*, height: float, columns: int = 0) -> tuple[Any, Any]:
    """A figure with one axis, or with a row of them."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.size": 9, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK}):
        figure = Figure(figsize=(6.4, 0.6 + height), layout="constrained")
        axes = figure.subplots(1, max(columns, 1), squeeze=False)[0]
    for axis in axes:
        axis.tick_params(colors=INK)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes if columns else axes[0]


def _svg(figure: Any) -> str:
    import matplotlib

    stream = io.StringIO()
    # Text as text, so that it can be read out and searched; a fixed salt, so that equal pages are equal bytes.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = stream.getvalue()
    return drawn[drawn.index("<svg") :].replace(INK, "currentColor")
