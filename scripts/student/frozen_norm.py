"""BatchNorm that nothing trains: its backward pass needs the statistics alone, so its input is not kept for it."""

from __future__ import annotations

from typing import Any

import torch
from scripts.student.adapted import replace_module
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm


class FrozenBatchNorm(nn.Module):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias with the stored statistics, as BatchNorm in eval.

    torch's own layer keeps x (N, C, ...) for the gradient of a weight that is not trained here.

    Attributes:
        norm: the layer itself, not a copy.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not (torch.is_grad_enabled() and input.requires_grad):
            return self.norm(input)
        norm = self.norm
        return _Normalised.apply(input, norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps)


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: torch.Tensor, mean: Any, variance: Any, weight: Any, bias: Any, eps: float) -> Any:
        ctx.save_for_backward(variance, weight)
        ctx.eps = eps
        return functional.batch_norm(input, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        variance, weight = ctx.saved_tensors
        # The layer is linear: the gradient passes through it without its mean and bias.
        passed = functional.batch_norm(gradients[0], torch.zeros_like(variance), variance, weight, eps=ctx.eps)
        return passed, None, None, None, None, None


def freeze_norms(network: nn.Module) -> None:
    """Wrap every BatchNorm with stored statistics, in place; none of their weights may be trained."""
    for name, module in list(network.named_modules()):
        if isinstance(module, _BatchNorm) and module.running_var is not None:
            replace_module(network, name, FrozenBatchNorm(module))


def unfreeze_norms(network: nn.Module) -> None:
    """Put the plain layers back, in place."""
    for name, module in list(network.named_modules()):
        if isinstance(module, FrozenBatchNorm):
            replace_module(network, name, module.norm)
