"""BatchNorm over a batch that is divided among processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from scripts import processes


class GlobalBatchNorm(_BatchNorm):
    """BatchNorm whose statistics in training are those of the whole batch, as one process would see them.

    torch's SyncBatchNorm runs on GPUs only, where nobody without one could test it, and counts each image alike;
    here a part counts by its `share`, which is 0 where a process has no image of the batch. It costs two small sums
    a layer in each direction.

    Attributes:
        share: of the present batch; see `set_share`.
    """

    share = 1.0

    @classmethod
    def of(cls, other: _BatchNorm) -> GlobalBatchNorm:
        """The same layer with the same parameters and buffers, not copies: an optimiser keeps its hold on them."""
        made = cls(other.num_features, other.eps, other.momentum, other.affine, other.track_running_stats)
        made.weight, made.bias = other.weight, other.bias
        made.running_mean, made.running_var = other.running_mean, other.running_var
        made.num_batches_tracked = other.num_batches_tracked
        return made.train(other.training)

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Any number of spatial dimensions."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return super().forward(input)
        axes = [0, *range(2, input.ndim)]
        shape = (1, -1, *(1,) * (input.ndim - 2))
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        # The number of values goes along: one sum less.
        own = values.new_tensor([float(values[:, 0].numel() * (self.share > 0))])
        mean, count = _Summed.apply(torch.cat([self.share * values.mean(axes), own])).split([self.num_features, 1])
        centred = values - mean.view(shape)
        variance = _Summed.apply(self.share * centred.square().mean(axes))
        if self.track_running_stats:
            self._track(mean.detach(), variance.detach() * count.detach() / (count.detach() - 1).clamp(min=1))
        normalised = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(input.dtype)

    @torch.no_grad()
    def _track(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        self.num_batches_tracked.add_(1)
        momentum = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


class _Summed(torch.autograd.Function):
    """The sum over the processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def synchronise(network: nn.Module) -> nn.Module:
    """The network with every BatchNorm replaced by a `GlobalBatchNorm`, in place; of one process, as it is."""
    if processes.size() > 1:
        for module in list(network.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, _BatchNorm) and not isinstance(child, GlobalBatchNorm):
                    setattr(module, name, GlobalBatchNorm.of(child))
    return network


def set_share(network: nn.Module, share: float) -> None:
    """Tell the layers what the coming part weighs in its batch."""
    # One process has no such layers: no walk through the network in every step.
    for module in network.modules() if processes.size() > 1 else ():
        if isinstance(module, GlobalBatchNorm):
            module.share = share
