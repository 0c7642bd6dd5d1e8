"""Overlays (image, truth, teacher, student, a retrained model) and the curves of a run, as PNG in `private/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from scripts.cohort.loaders import CohortLoaders
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.handlers.history import read_history
from scripts.files import atomic_path
from scripts.record.run_folder import RunFolder
from scripts.tasks import Task
from torch import nn

SHOWN = ("forget", "validation", "test")


class Shown(Protocol):
    """Models and the data they are shown on: an `Evaluation`, or a pool's."""

    @property
    def folder(self) -> RunFolder:
        """Where the pictures go."""

    @property
    def loaders(self) -> CohortLoaders:
        """Of the sets that are shown."""

    @property
    def task(self) -> Task:
        """What the models answer."""

    @property
    def arithmetic(self) -> Arithmetic:
        """How they run."""

    @property
    def models(self) -> Mapping[str, nn.Module]:
        """Name of a column -> network."""


class Pictures:
    """Draw `overlays/<set>.png`, one row an image, and `overlays/curves.png`.

    Args:
        count: images of each set, spread over it; 0 draws no overlays.
        normalise: how the images were normalised.
    """

    def __init__(self, *, evaluation: Shown, count: int = 4, normalise: str = "half") -> None:
        self.evaluation = evaluation
        self.count = int(count)
        self.normalise = normalise

    def draw(self) -> None:
        """Draw all pictures."""
        self.evaluation.folder.begin()
        self.evaluation.folder.overlays.mkdir(exist_ok=True)
        loaders = self.evaluation.loaders
        for name in SHOWN:
            dataset: Any = loaders.dataset(name) if loaders.cohort.named(name) else []
            if self.count and len(dataset):
                chosen = np.unique(np.linspace(0, len(dataset) - 1, self.count).round().astype(int))
                self._overlay(name, [dataset[int(index)] for index in chosen])
        self._curves()
        self.evaluation.folder.write_manifest()

    def _overlay(self, name: str, items: list[dict[str, Any]]) -> None:
        models = self.evaluation.models
        columns = ["image", "truth", *models] if self.evaluation.task.masks else ["image", *models]
        plt = _pyplot()
        figure, axes = plt.subplots(
            len(items), len(columns), figsize=(2.2 * len(columns), 2.3 * len(items)), squeeze=False
        )
        for row, item in zip(axes, items, strict=True):
            picture = self._picture(item["image"])
            for axis, column in zip(row, columns, strict=True):
                axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
                axis.set_axis_off()
                axis.set_title(column, fontsize=8)
                if column != "image":
                    self._mark(axis, column, item)
            row[0].set_title(item["image_id"], fontsize=7)
        figure.tight_layout()
        self._save(figure, f"{name}.png")

    def _mark(self, axis: Any, column: str, item: dict[str, Any]) -> None:
        label = item["label"][None]
        task = self.evaluation.task
        if column == "truth":
            if task.graded:
                _show(axis, label[0])
            else:
                self._outlines(axis, label[0], "#00d26a")
            return
        arithmetic = self.evaluation.arithmetic
        with torch.no_grad():
            image = arithmetic.move({"image": item["image"][None]})["image"]
            logits = arithmetic.logits(self.evaluation.models[column], image).cpu()
        value = float(task.measure(logits, label.reshape(1, *item["label"].shape), surface=False)[task.key_metric][0])
        if task.graded:
            _show(axis, task.prediction(logits)[0])
            axis.set_title(f"{column}: {task.key_metric} {value:.2f}", fontsize=8)
        elif task.masks:
            self._outlines(axis, label[0], "#00d26a")
            self._outlines(axis, task.prediction(logits)[0], "#ff4d6d")
            axis.set_title(f"{column}: {task.key_metric} {value:.2f}", fontsize=8)
        else:
            axis.set_title(f"{column}: {int(task.prediction(logits)[0])} (true {int(item['label'])})", fontsize=8)

    @staticmethod
    def _outlines(axis: Any, masks: torch.Tensor, colour: str) -> None:
        for mask in masks:
            _outline(axis, mask, colour)

    def _picture(self, image: torch.Tensor) -> np.ndarray:
        picture = image.float().numpy()
        if picture.ndim == 4:
            picture = picture[..., picture.shape[-1] // 2]
        if self.normalise == "half":
            picture = picture * 0.5 + 0.5
        else:
            picture = (picture - picture.min()) / max(float(np.ptp(picture)), 1e-6)
        picture = picture.clip(0, 1)
        return picture.transpose(1, 2, 0) if len(picture) == 3 else picture[0]

    def _curves(self) -> None:
        rows = read_history(self.evaluation.folder.history)
        if not rows:
            return
        names = sorted({row["name"] for row in rows})
        plt = _pyplot()
        figure, axes = plt.subplots(1, len(names), figsize=(3.2 * len(names), 2.8), squeeze=False)
        for axis, name in zip(axes[0], names, strict=True):
            for phase in sorted({row["phase"] for row in rows if row["name"] == name}):
                own = [row for row in rows if row["name"] == name and row["phase"] == phase]
                steps, values = [int(row["iteration"]) for row in own], [float(row["value"]) for row in own]
                axis.plot(steps, values, marker=".", label=phase)
            axis.set_title(name, fontsize=9)
            axis.set_xlabel("optimiser steps", fontsize=8)
            axis.legend(fontsize=7)
        figure.tight_layout()
        self._save(figure, "curves.png")

    def _save(self, figure: Any, name: str) -> None:
        with atomic_path(self.evaluation.folder.overlays / name) as temporary:
            figure.savefig(temporary, dpi=110, format="png")
        _pyplot().close(figure)


def _show(axis: Any, image: torch.Tensor) -> None:
    """Draw an image of intensities in 0..1, (1, H, W) or the middle of (1, H, W, D)."""
    shown = image[0] if image.ndim == 3 else image[0, ..., image.shape[-1] // 2]
    axis.imshow(shown.numpy(), cmap="gray", vmin=0, vmax=1)


def _outline(axis: Any, mask: torch.Tensor, colour: str) -> None:
    if mask.ndim == 3:
        mask = mask[..., mask.shape[-1] // 2]
    if bool((mask > 0.5).any()) and not bool((mask > 0.5).all()):
        axis.contour(mask.float().numpy(), levels=[0.5], colors=colour, linewidths=0.8)


def _pyplot() -> Any:
    """Matplotlib without a screen, imported only where something is drawn."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
