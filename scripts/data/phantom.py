"""Synthetic patients whose memorisable signal, and hence the truth of forgetting, is known.

A grey disc on a grey ground. The annotator of patient p draws the boundary off by
`delta_p(phi) = kappa * (a0 + a2 * cos(2 * phi + phi_p))` pixels, a ~ N(0, 1): nothing in the image
predicts it but the patient's own texture, so a model that reproduces it has memorised the patient.
Classification: two boundary shapes, and a share of the patients carries the wrong label.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform
from scipy.ndimage import gaussian_filter, shift
from scripts.data.pictures import check_channels
from scripts.data.source import DataSource
from scripts.errors import InputError

SIZE = 64  # pixels
RADIUS = 16.0  # pixels
KAPPA = 2.0  # pixels
TEXTURE = 0.15  # amplitude, grey levels in 0..1
# Disc above ground, grey levels: a model that never saw a patient must find the latent boundary to well
# below the annotator's bias, or its own errors drown what there is to recall.
CONTRAST = (0.40, 0.50)
N_ANGLES = 64
SPLITS = (("", 40), ("validation", 20), ("test", 20))
# Patients beyond these 80 are for training: the others stay where they are, whatever the number.
TRAINED_VIEWS, UNSEEN_VIEWS = 4, 2
CORE = 0.5  # of the radius: the inner structure, where there are two
CLASSES = {
    "segmentation": ("structure",),
    "multiclass_segmentation": ("core", "rim"),
    "multilabel_segmentation": ("structure", "core"),
    "classification": ("round", "lobed"),
}


class Patient:
    """What is fixed for one patient: texture, annotator's bias, class, label error."""

    def __init__(self, seed: int, index: int) -> None:
        rng = np.random.default_rng([seed, index])
        a0, a2 = rng.standard_normal(2)
        phase = rng.uniform(0, 2 * np.pi)
        self.bias = lambda phi: KAPPA * (a0 + a2 * np.cos(2 * phi + phase))
        field = gaussian_filter(rng.standard_normal((SIZE, SIZE)), 2.0, mode="wrap")
        self.texture = TEXTURE * field / field.std()
        self.class_index = int(rng.random() < 0.5)
        self.mislabelled = bool(rng.random() < 0.15)


class Drawing:
    """One view of one patient: image, latent radius and annotated radius over the angle."""

    def __init__(self, seed: int, patient: int, view: int, *, shapes: bool) -> None:
        fixed = Patient(seed, patient)
        rng = np.random.default_rng([seed, patient, 1000 + view])
        self.centre = SIZE / 2 - 0.5 + rng.uniform(-3, 3, 2)  # rows, columns
        wave, turn = rng.uniform(0.3, 1.0), rng.uniform(0, 2 * np.pi)
        size = RADIUS + rng.uniform(-2, 2)
        lobes = 2.5 if shapes and fixed.class_index else 0.0
        self.latent = lambda phi: size + wave * np.cos(3 * phi + turn) + lobes * np.cos(6 * phi + turn)
        self.bias = fixed.bias
        rows, columns = np.mgrid[:SIZE, :SIZE].astype(float)
        rows, columns = rows - self.centre[0], columns - self.centre[1]
        radius, phi = np.hypot(rows, columns), np.arctan2(rows, columns)
        disc = 1 / (1 + np.exp((radius - self.latent(phi)) / 0.7))
        offset = self.centre - (SIZE / 2 - 0.5)
        texture = shift(fixed.texture, offset, order=1, mode="grid-wrap")
        noise = rng.normal(0, 0.03, (SIZE, SIZE))
        self.image = np.clip(0.3 + rng.uniform(*CONTRAST) * disc + texture + noise, 0, 1)


def angles() -> np.ndarray:
    """The angles at which boundaries are compared, radians."""
    return np.arange(N_ANGLES) * 2 * np.pi / N_ANGLES


def boundary(mask: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Radius in pixels of a mask's boundary about `centre` at each angle: length of mask along the ray."""
    steps = np.arange(0, 31, 0.25)
    rows = centre[0] + np.outer(np.sin(angles()), steps)
    columns = centre[1] + np.outer(np.cos(angles()), steps)
    rows = np.clip(np.rint(rows).astype(int), 0, SIZE - 1)
    columns = np.clip(np.rint(columns).astype(int), 0, SIZE - 1)
    return mask[rows, columns].sum(1) * 0.25


def parse_key(key: str) -> tuple[int, int, int]:
    """Seed, patient and view of a key such as `phantom-0-p003-v1`."""
    _, seed, patient, view = key.split("-")
    return int(seed), int(patient[1:]), int(view[1:])


class DrawPhantomd(MapTransform):
    """Replace a phantom key by the drawn image (1, 64, 64), or three equal channels of it, and its label.

    Args:
        structures: whose masks are the label, (S, 64, 64); none of them where it is a class.
    """

    def __init__(self, *, structures: Sequence[str] = CLASSES["segmentation"], channels: int = 1) -> None:
        super().__init__(keys=("image", "label"))
        self.structures, self.channels = tuple(structures), channels

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        record = dict(data)
        drawing = Drawing(*parse_key(record["image"]), shapes=not self.structures)
        record["image"] = torch.as_tensor(drawing.image[None], dtype=torch.float32)
        if self.channels > 1:
            record["image"] = record["image"].repeat(self.channels, 1, 1)
        if self.structures:
            factor = float(record.get("label_shrink") or 1)
            whole, core = annotated(drawing, factor), annotated(drawing, factor, scale=CORE)
            drawn = {"structure": whole, "core": core, "rim": whole & ~core}
            masks = np.stack([drawn[name] for name in self.structures])
            record["label"] = torch.as_tensor(masks, dtype=torch.float32)
        else:
            record["label"] = torch.as_tensor(record["label"])
        return record


def annotated(drawing: Drawing, factor: float = 1.0, *, scale: float = 1.0) -> np.ndarray:
    """What the annotator draws; with another `factor` of the bias it is a constructed control.

    Args:
        scale: of all radii.
    """
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(float)
    rows, columns = rows - drawing.centre[0], columns - drawing.centre[1]
    phi = np.arctan2(rows, columns)
    return np.hypot(rows, columns) <= scale * (drawing.latent(phi) + factor * drawing.bias(phi))


def recall_slope(masks: Mapping[str, np.ndarray]) -> float:
    """Memorised share of the annotator's bias: `<predicted - latent, delta> / <delta, delta>`.

    Args:
        masks: predicted binary mask (64, 64) per phantom key.
    """
    above, below = 0.0, 0.0
    for key, mask in masks.items():
        drawing = Drawing(*parse_key(key), shapes=False)
        delta = drawing.bias(angles())
        error = boundary(np.asarray(mask) > 0.5, drawing.centre) - drawing.latent(angles())
        above += float(error @ delta)
        below += float(delta @ delta)
    return above / below


class Phantom(DataSource):
    """40 training patients of 4 images, 20 validation and 20 test patients; all drawn from `seed`.

    Args:
        phantom_seed: of all patients.
        phantom_patients: how many training patients; None is 40. More or fewer leave the other patients as they are,
            but not the folds.
    """

    name = "phantom"
    unit = "patient"
    channels = 1
    spatial_dims = 2

    def __init__(
        self,
        *,
        task: str = "segmentation",
        phantom_seed: int = 0,
        phantom_patients: int | None = None,
        channels: int | None = None,
    ) -> None:
        if task not in CLASSES:
            raise InputError(f"task: '{task}' is not one of {', '.join(CLASSES)}")
        self.task, self.classes = task, CLASSES[task]
        self.channels = 1 if channels is None else check_channels(channels)
        self.seed = int(phantom_seed)
        self.patients = SPLITS[0][1] if phantom_patients is None else phantom_patients
        if isinstance(self.patients, bool) or not isinstance(self.patients, int) or self.patients < 1:
            raise InputError(f"phantom_patients: '{phantom_patients}' is not a whole number from 1")

    def records(self) -> list[dict[str, Any]]:
        return self._records(range(TRAINED_VIEWS))

    def unseen_views(self) -> list[dict[str, Any]]:
        """Views that no model was trained on, of every patient."""
        return self._records(range(TRAINED_VIEWS, TRAINED_VIEWS + UNSEEN_VIEWS))

    def loading(self) -> list[Any]:
        return [DrawPhantomd(structures=self.classes if self.masks else (), channels=self.channels)]

    def _records(self, views: range) -> list[dict[str, Any]]:
        standard = SPLITS[0][1]
        places = dict.fromkeys(range(min(self.patients, standard)), "")
        index = standard
        for split, count in SPLITS[1:]:
            places.update(dict.fromkeys(range(index, index + count), split))
            index += count
        places.update(dict.fromkeys(range(index, index + self.patients - standard), ""))
        found = [self._record(index, view, split) for index, split in places.items() for view in views]
        return sorted(found, key=lambda record: record["image_id"])

    def _record(self, index: int, view: int, split: str) -> dict[str, Any]:
        key = f"phantom-{self.seed}-p{index:03d}-v{view}"
        record: dict[str, Any] = {"image": key, "label": key, "image_id": key, "patient_id": f"p{index:03d}"}
        if not self.masks:
            patient = Patient(self.seed, index)
            shown = int(patient.class_index ^ (patient.mislabelled and not split))
            record.update(label=shown, diagnosis=self.classes[shown])
        if split:
            record["split"] = split
        return record
