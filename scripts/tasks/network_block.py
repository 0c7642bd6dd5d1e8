"""A network that the config brings along: what counts as its answer, and whether it fits the data."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from scripts.errors import InputError
from scripts.tasks.registry import TASKS
from torch import nn

if TYPE_CHECKING:
    from scripts.data.source import DataSource


def first_output(network: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
    """Forward hook: with deep supervision a network answers several times, the finest first, and that is the answer.

    MONAI gives them as a list (SegResNetDS) or, in training, as one more axis behind the batch (DynUNet).
    """
    if isinstance(output, (list, tuple)):
        return output[0]
    if torch.is_tensor(output) and inputs and output.ndim == inputs[0].ndim + 1:
        return output[:, 0]
    return None


@torch.no_grad()
def check_block(network: nn.Module, sample: torch.Tensor, *, source: DataSource, training: bool) -> None:
    """Refuse a network that cannot take the images, or does not answer the task; a copy is run once.

    Args:
        sample: empty images (N, C, ...).
        training: whether it is to be trained: normalisation then asks more of an image's size.

    Raises:
        InputError: names what the network did and what is needed.
    """
    tried = copy.deepcopy(network).cpu().train(training)
    tried.register_forward_hook(first_output)
    size = " x ".join(str(length) for length in sample.shape[2:])
    kind = type(network).__name__
    try:
        answer = tried(sample)
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"network_def: {kind} cannot take images of {size} pixels with {sample.shape[1]} channels"
            f" ({type(error).__name__}: {reason})"
        ) from error
    task = TASKS[source.task]()
    wanted = (len(sample), task.outputs(len(source.classes)), *(sample.shape[2:] if source.masks else ()))
    if not torch.is_tensor(answer) or tuple(answer.shape) != wanted:
        found = tuple(answer.shape) if torch.is_tensor(answer) else type(answer).__name__
        named = ", ".join(source.classes[:6]) + (", ..." if len(source.classes) > 6 else "")
        raise InputError(
            f"network_def: {kind} answers {found}; task {source.task} needs {wanted} for data set '{source.name}'"
            f" ({named})"
        )
