"""BatchNorm over a batch that is divided among processes."""

from __future__ import annotations

import torch
from scripts import processes
from scripts.errors import InputError
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronised(network: nn.Module, *, device: torch.device) -> nn.Module:
    """The network with torch's SyncBatchNorm for every BatchNorm; of one process, as it is.

    The layers are replaced in place and hold the same parameters and buffers: an optimiser keeps its hold on them. A
    process without an image of the present batch computes one that another holds, which then counts twice.

    Raises:
        InputError: processes without GPUs, for which torch has no such layer.
    """
    if processes.size() == 1 or not any(isinstance(module, _BatchNorm) for module in network.modules()):
        return network
    if device.type == "cpu":
        raise InputError(
            f"distributed: True, but device: cpu and BatchNorm in the network to train: torch synchronises it between"
            f" GPUs alone, and of {processes.size()} processes each would normalise by its own part of a batch; train"
            " with one process, or a network with another norm"
        )
    return nn.SyncBatchNorm.convert_sync_batchnorm(network)
