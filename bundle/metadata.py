"""`metadata.json` of a built bundle: the repository's own, with what the task changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bundle.tasks import TaskBundle

UNTRAINED = "UNTRAINED (random weights; for tests of the packaging only)"
NORMALISED = {"half": [-1, 1], "none": [0, 1], "zscore": []}


def metadata(
    base: Mapping[str, Any], task: TaskBundle, inference: Mapping[str, Any], *, trained: bool
) -> dict[str, Any]:
    """Metadata of `task`, tensor fields from its inference settings.

    Args:
        base: the repository's metadata: versions, changelog, authors.
        task: texts and classes.
        inference: folded settings of the bundle's inference file.
        trained: whether models/model.pt is a trained model; if not, every description says so.
    """
    description = f"{task.description}, restore what that cost, and measure both."
    size = inference["image_size"]
    shape = list(size) if isinstance(size, list) else [int(size)] * int(inference["spatial_dims"])
    classes = {str(index): name for index, name in enumerate(task.classes)}
    named = task.answers.describe(task.answers.named, task.classes, sign=":")
    raw, after = task.answers.format(shape)
    prediction = {
        **raw,
        "num_channels": int(inference["out_channels"]),
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": classes,
    }
    changed = {
        "name": task.title,
        "task": task.task,
        "description": description if trained else f"{UNTRAINED}. {description}",
        "data_source": task.data_source,
        "data_type": "jpeg",
        "image_classes": f"{task.image}, {inference['in_channels']} channels",
        "label_classes": named,
        "pred_classes": named,
        "eval_metrics": {},
        "intended_use": "Research on deletion requests for trained imaging models. Not for clinical use."
        if trained
        else f"{UNTRAINED}. Not for use.",
        "references": list(task.references),
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "magnitude",
                    "modality": "RGB",
                    "num_channels": int(inference["in_channels"]),
                    "spatial_shape": shape,
                    "dtype": "float32",
                    "value_range": NORMALISED[inference["normalise"]],
                    "is_patch_data": False,
                    "channel_def": {"0": "red", "1": "green", "2": "blue"},
                }
            },
            "outputs": {"pred": prediction},
            "post_processed_outputs": {"pred": {**prediction, **after, "value_range": [0, 1]}},
        },
    }
    return {**base, **changed}
