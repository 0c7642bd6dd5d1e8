"""What kinds of prediction a bundle gives, as its metadata and pages say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answers:
    """One kind of prediction.

    Attributes:
        word: MONAI's word for it, with which the names of bundles end.
        inference: workflow file of `configs/` that becomes the bundle's `inference.yaml`.
        type: of the prediction, in metadata.
        output: what comes out, `{listed}` the numbered classes and `{first}` the class of value 1.
        named: the same for the classes of labels and predictions.
        shaped: whether a prediction has the image's size, and the written one its own type.
    """

    word: str
    inference: str
    type: str
    output: str
    named: str
    shaped: bool

    def describe(self, text: str, classes: tuple[str, ...], *, sign: str = "") -> str:
        """`text`, which is `output` or `named`, of these classes; `sign` between number and name."""
        listed = ", ".join(f"{number}{sign} {name}" for number, name in enumerate(classes))
        return text.format(listed=listed, first=classes[1])

    def format(self, shape: list[int]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fields of a prediction in metadata: as the network gives it, and what changes when it is written."""
        raw = {"type": self.type, "format": self.word, "spatial_shape": shape if self.shaped else []}
        return raw, {"spatial_shape": ["*"] * len(shape), "dtype": "uint8"} if self.shaped else {}


STRUCTURE = Answers(
    word="segmentation",
    inference="inference.yaml",
    type="image",
    output="One logit per pixel; after post-processing a uint8 mask of the image's own size: 1 is {first}, 0 is "
    "background.",
    named="single channel: 1 is {first}, 0 is background",
    shaped=True,
)
LABEL = Answers(
    word="classification",
    inference="inference_classification.yaml",
    type="probabilities",
    output="One logit per class: {listed}.",
    named="{listed}",
    shaped=False,
)
